-- Sends one update for each client of a file of tokens, and counts the answers. Arguments: FILE FEDERATION ROUND BODY.
local threads = {}

function setup(thread)
  thread:set("index", #threads)
  table.insert(threads, thread)
end

function init(arguments)
  local file = assert(io.open(arguments[4], "rb"))
  body = file:read("*a"):sub(1, -9)
  file:close()
  path = "/v1/federations/" .. arguments[2] .. "/rounds/" .. arguments[3] .. "/update?samples=10&loss=0.5"
  tokens = {}
  for line in io.lines(arguments[1]) do table.insert(tokens, line) end
  next_token = 0
  created, others, first_other = 0, 0, ""
end

function request()
  next_token = next_token + 1
  -- Nobody is left: what is asked from here on is counted as something else.
  local token = tokens[next_token] or "none"
  -- Two small numbers of its own at the end, since no two clients send the same bytes.
  local numbers = token:sub(-3) .. "<" .. token:sub(-6, -4) .. "<"
  return wrk.format("PUT", path, {["Authorization"] = "Bearer " .. token}, body .. numbers)
end

function response(status, headers, text)
  if status == 201 then
    created = created + 1
  else
    others = others + 1
    if first_other == "" then first_other = status .. " " .. text:sub(1, 200):gsub('[%c"\\]', " ") end
  end
end

function done(summary, latency, requests)
  local all_created, all_others, other = 0, 0, ""
  for _, thread in ipairs(threads) do
    all_created = all_created + thread:get("created")
    all_others = all_others + thread:get("others")
    if other == "" then other = thread:get("first_other") end
  end
  io.write(string.format(
    '\nRESULT {"created": %d, "others": %d, "seconds": %.3f, "p50": %.2f, "p99": %.2f, "other": "%s"}\n',
    all_created, all_others, summary.duration / 1e6, latency:percentile(50) / 1000, latency:percentile(99) / 1000, other))
end
