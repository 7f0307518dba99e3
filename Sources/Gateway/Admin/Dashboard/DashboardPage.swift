/// The page at `/` of the admin address: its markup, style and script in one, with nothing from elsewhere.
enum DashboardPage {
    private static let markup = String(decoding: PackageResources.dashboard_html, as: UTF8.self)
    private static let style = String(decoding: PackageResources.dashboard_css, as: UTF8.self)
    private static let script = String(decoding: PackageResources.dashboard_js, as: UTF8.self)

    /// `nonce` (of letters and digits) marks the style and script that are ours, for `contentPolicy`.
    static func html(nonce: String) -> String {
        markup.replacing("{{style}}", with: style).replacing("{{script}}", with: script)
            .replacing("{{nonce}}", with: nonce)
    }

    /// Nothing is loaded, run, embedded or sent elsewhere but what this page is (CSP level 3).
    static func contentPolicy(nonce: String) -> String {
        [
            "default-src 'none'", "script-src 'nonce-\(nonce)'", "style-src 'nonce-\(nonce)'", "connect-src 'self'",
            "img-src data:", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
        ].joined(separator: "; ")
    }
}

extension AdminResponse {
    static func dashboard() -> AdminResponse {
        let nonce = String(UInt64.random(in: 0 ... .max), radix: 36) + String(UInt64.random(in: 0 ... .max), radix: 36)
        let page = DashboardPage.html(nonce: nonce)
        var response = AdminResponse(contentType: "text/html; charset=utf-8", body: Array(page.utf8))
        response.contentPolicy = DashboardPage.contentPolicy(nonce: nonce)
        return response
    }
}
