import Charts
import Crypto

/// A file of the dashboard, with what a server says about it.
///
/// The files are in the folder `Files`; SwiftPM makes them part of the program. The curves are those of the reports, so
/// their script and style come from `Charts`.
package struct DashboardFile: Sendable {
    /// As in the address behind `/ui/`.
    package let name: String
    package let mediaType: String
    package let bytes: [UInt8]
    /// The SHA-256 of the bytes.
    package let digest: [UInt8]

    private init(_ name: String, _ mediaType: String, _ bytes: [UInt8]) {
        self.name = name
        self.mediaType = mediaType
        self.bytes = bytes
        digest = Array(SHA256.hash(data: bytes))
    }

    private static func script(_ name: String, _ bytes: [UInt8]) -> Self {
        Self(name, "text/javascript; charset=utf-8", bytes)
    }

    private static func json(_ name: String, _ bytes: [UInt8]) -> Self { Self(name, "application/json", bytes) }

    private static func style(_ name: String, _ bytes: [UInt8]) -> Self {
        Self(name, "text/css; charset=utf-8", bytes)
    }
}

extension DashboardFile {
    /// The page itself, which loads all others.
    package static let page = Self("index.html", "text/html; charset=utf-8", PackageResources.index_html)

    /// All files, by name.
    package static let all: [String: DashboardFile] = Dictionary(
        uniqueKeysWithValues: [
            page,
            Self("icon.svg", "image/svg+xml", PackageResources.icon_svg),
            style("charts.css", Array(ChartDrawing.style.utf8)),
            style("dashboard.css", PackageResources.dashboard_css),
            script("charts.js", Array(ChartDrawing.module.utf8)),
            script("app.js", PackageResources.app_js),
            script("api.js", PackageResources.api_js),
            script("elements.js", PackageResources.elements_js),
            script("format.js", PackageResources.format_js),
            script("signin.js", PackageResources.signin_js),
            script("federations.js", PackageResources.federations_js),
            script("federation.js", PackageResources.federation_js),
            script("round.js", PackageResources.round_js),
            script("curves.js", PackageResources.curves_js),
            script("coverage.js", PackageResources.coverage_js),
            script("clients.js", PackageResources.clients_js),
            script("log.js", PackageResources.log_js),
            script("downloads.js", PackageResources.downloads_js),
            script("admin.js", PackageResources.admin_js),
            script("create.js", PackageResources.create_js),
            script("form.js", PackageResources.form_js),
            script("words.js", PackageResources.words_js),
            script("live.js", PackageResources.live_js),
            json("settings.json", PackageResources.settings_json),
            json("templates.json", PackageResources.templates_json),
        ].map { ($0.name, $0) })
}
