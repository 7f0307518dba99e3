/// The field in which trusted proxies say on whose behalf they ask. The raw value is the name in files.
///
/// One has to be chosen: a proxy that keeps the one may pass on what a client wrote into the other.
package enum ForwardedField: String, Hashable, Sendable, CaseIterable {
    /// With X-Forwarded-Proto and X-Forwarded-Host beside it.
    case xForwardedFor = "x-forwarded-for"
    /// RFC 7239.
    case forwarded = "forwarded"
}
