// The server's codes and kinds of events, in words.

/** Kinds of events of the audit log. */
export const kinds = {
  "federation.changed": "Federation changed",
  "federation.configured": "Configuration came",
  "federation.finished": "Federation finished",
  "federation.templated": "Template came",
  "client.registered": "Client registered",
  "client.changed": "Client changed its claims",
  "client.revoked": "Client revoked",
  "client.declined": "Client declined",
  "client.left": "Client left",
  "client.selected": "Client selected",
  "round.opened": "Round opened",
  "round.candidates": "Candidates noted",
  "round.selected": "Clients selected",
  "round.invited": "More clients invited",
  "round.extended": "Deadline extended",
  "round.closed": "Round closed",
  "round.reopened": "Round opened again",
  "round.published": "Adapter published",
  "round.failed": "Round failed",
  "round.refusals": "Refusals noted",
  "update.accepted": "Update accepted",
  "update.refused": "Update refused",
  "update.left_out": "Update left out",
  "update.lost": "Update lost",
  "update.taken_back": "Update taken back",
  "evaluation.candidates": "Candidates of an evaluation noted",
  "evaluation.opened": "Clients asked to evaluate",
  "evaluation.closed": "Evaluation ended",
  "evaluation.refused": "Evaluation refused",
  "server.learning_rate": "Server's learning rate lowered",
  "token.issued": "Token issued",
  "token.used": "Token used",
  "token.withdrawn": "Token withdrawn",
};

const advices = {
  "update.shape": "The client trains another model, or other modules, than the federation has. Compare its base model.",
  "update.missing": "The client's adapter lacks modules of the federation. Compare its target modules.",
  "update.unknown": "The client adapts modules that the federation does not have. Compare its target modules.",
  "update.rank": "The client sent a rank above the one that its plan grants.",
  "update.dtype": "Save the adapter as F32, F16 or BF16.",
  "update.format": "The file is no adapter as PEFT saves it.",
  "update.not_finite": "The training has diverged. A lower learning rate helps in most cases.",
  "update.norm": "The update is larger than limits.max_norm allows. The training may have diverged.",
  "update.range": "Its numbers are too large for exact sums. The training may have diverged.",
  "update.too_large": "The file is longer than an adapter of this federation can be.",
  "update.samples": "The client names more samples than limits.max_samples allows.",
  "update.accuracy": "This weighting needs each client's accuracy. The trainer must report it.",
  "update.loss": "This weighting needs each client's loss. The trainer must report it.",
  "update.metrics": "Loss or accuracy is not a plain number.",
  "update.base": "The client has another base model than the federation.",
  "update.digest": "The bytes changed on their way. The client sends them again.",
  "round.closed": "The update came after its round had closed. A longer deadline helps slow clients.",
};

/** What can be done about a refusal; undefined where there is nothing to add. */
export function advice(code) {
  return advices[code] ?? (code.startsWith("config.") ? "The client's adapter has a setting that cannot be carried. Remove it there." : undefined);
}
