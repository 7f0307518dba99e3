extension KnownField {
    /// Tells a field by its name, which must consist of token characters.
    @inline(__always)
    static func classify(_ bytes: RawSpan, _ name: ByteSlice) -> KnownField {
        switch name.count {
        case 2: Scan.matches(bytes, name, "te") ? .te : .unknown
        case 4: fourLetters(bytes, name)
        case 6: Scan.matches(bytes, name, "expect") ? .expect : .unknown
        case 7: sevenLetters(bytes, name)
        case 9: Scan.matches(bytes, name, "forwarded") ? .forwarded : .unknown
        case 10: tenLetters(bytes, name)
        case 11: Scan.matches(bytes, name, "traceparent") ? .traceparent : .unknown
        case 12: Scan.matches(bytes, name, "max-forwards") ? .maxForwards : .unknown
        case 14: fourteenLetters(bytes, name)
        case 15: Scan.matches(bytes, name, "x-forwarded-for") ? .forwardedFor : .unknown
        case 16: sixteenLetters(bytes, name)
        case 17: seventeenLetters(bytes, name)
        case 28: Scan.matches(bytes, name, "x-client-certificate-subject") ? .clientCertificateSubject : .unknown
        default: .unknown
        }
    }

    @inline(__always)
    private static func fourLetters(_ bytes: RawSpan, _ name: ByteSlice) -> KnownField {
        if Scan.matches(bytes, name, "host") { return .host }
        return Scan.matches(bytes, name, "date") ? .date : .unknown
    }

    @inline(__always)
    private static func sevenLetters(_ bytes: RawSpan, _ name: ByteSlice) -> KnownField {
        if Scan.matches(bytes, name, "upgrade") { return .upgrade }
        return Scan.matches(bytes, name, "trailer") ? .trailer : .unknown
    }

    @inline(__always)
    private static func tenLetters(_ bytes: RawSpan, _ name: ByteSlice) -> KnownField {
        if Scan.matches(bytes, name, "connection") { return .connection }
        if Scan.matches(bytes, name, "keep-alive") { return .keepAlive }
        return Scan.matches(bytes, name, "tracestate") ? .tracestate : .unknown
    }

    @inline(__always)
    private static func fourteenLetters(_ bytes: RawSpan, _ name: ByteSlice) -> KnownField {
        if Scan.matches(bytes, name, "content-length") { return .contentLength }
        return Scan.matches(bytes, name, "http2-settings") ? .http2Settings : .unknown
    }

    @inline(__always)
    private static func sixteenLetters(_ bytes: RawSpan, _ name: ByteSlice) -> KnownField {
        if Scan.matches(bytes, name, "proxy-connection") { return .proxyConnection }
        return Scan.matches(bytes, name, "x-forwarded-host") ? .forwardedHost : .unknown
    }

    @inline(__always)
    private static func seventeenLetters(_ bytes: RawSpan, _ name: ByteSlice) -> KnownField {
        if Scan.matches(bytes, name, "transfer-encoding") { return .transferEncoding }
        return Scan.matches(bytes, name, "x-forwarded-proto") ? .forwardedProto : .unknown
    }
}
