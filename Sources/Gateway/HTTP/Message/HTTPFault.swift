/// What is wrong with a message. A request is answered with `status` and the connection closed; the connection
/// of a response is discarded and the client gets 502.
package enum HTTPFault: UInt8, Error, CaseIterable, Sendable {
    case invalidMethod
    case invalidRequestLine
    case invalidTarget
    case invalidPath
    case targetTooLong
    case invalidVersion
    case unsupportedVersion
    case unsupportedMethod
    case asteriskNotOptions

    case invalidStatusLine
    case invalidStatusCode
    case unexpectedSwitch
    case tooManyInterimResponses

    case headTooLarge
    case tooManyFields
    case emptyFieldName
    case invalidFieldName
    case whitespaceBeforeColon
    case missingColon
    case foldedField
    case invalidFieldValue
    case nulByte
    case bareLineFeed
    case bareCarriageReturn

    case missingHost
    case repeatedHost
    case invalidHost
    case invalidConnection
    case unsupportedExpectation
    case invalidMaxForwards

    case invalidContentLength
    case repeatedContentLength
    case contentLengthOverflow
    case contentLengthWithTransferEncoding
    case transferEncodingInHTTP10
    case invalidTransferEncoding
    case chunkedNotLast
    case unsupportedTransferCoding

    case invalidChunkSize
    case chunkSizeOverflow
    case invalidChunkExtension
    case chunkExtensionTooLong
    case invalidChunkEnd
    case invalidTrailer
    case trailerTooLarge
    case bodyTooLarge

    /// The status that answers a request with this fault.
    package var status: UInt16 {
        switch self {
        case .targetTooLong: 414
        case .bodyTooLarge: 413
        case .unsupportedVersion: 505
        case .unsupportedMethod, .unsupportedTransferCoding: 501
        case .headTooLarge, .tooManyFields, .trailerTooLarge: 431
        case .unsupportedExpectation: 417
        case .invalidMethod, .invalidRequestLine, .invalidTarget, .invalidPath, .invalidVersion, .asteriskNotOptions,
            .invalidStatusLine, .invalidStatusCode, .unexpectedSwitch, .tooManyInterimResponses,
            .emptyFieldName, .invalidFieldName, .whitespaceBeforeColon, .missingColon, .foldedField,
            .invalidFieldValue, .nulByte, .bareLineFeed, .bareCarriageReturn,
            .missingHost, .repeatedHost, .invalidHost, .invalidConnection, .invalidMaxForwards,
            .invalidContentLength, .repeatedContentLength, .contentLengthOverflow,
            .contentLengthWithTransferEncoding, .transferEncodingInHTTP10, .invalidTransferEncoding, .chunkedNotLast,
            .invalidChunkSize, .chunkSizeOverflow, .invalidChunkExtension, .chunkExtensionTooLong, .invalidChunkEnd,
            .invalidTrailer:
            400
        }
    }

    /// One line for the body of the answer and for the log.
    package var reason: StaticString {
        switch self {
        case .invalidMethod: "the method is not a token"
        case .invalidRequestLine: "the request line is not 'method target version' with single spaces"
        case .invalidTarget: "the request target has a byte that must not stand in a URI"
        case .invalidPath: "the path has a broken or dangerous percent-encoding"
        case .targetTooLong: "the request line is too long"
        case .invalidVersion: "the protocol version is not HTTP/1.x"
        case .unsupportedVersion: "only HTTP/1.0 and HTTP/1.1 are spoken here"
        case .unsupportedMethod: "this method is not served here"
        case .asteriskNotOptions: "the target * belongs to OPTIONS only"
        case .invalidStatusLine: "the status line is not 'HTTP/1.x code reason'"
        case .invalidStatusCode: "the status code is not within 100 to 599"
        case .unexpectedSwitch: "101 without a request to switch protocols"
        case .tooManyInterimResponses: "too many interim responses"
        case .headTooLarge: "the head is too large"
        case .tooManyFields: "the head has too many fields"
        case .emptyFieldName: "a field has no name"
        case .invalidFieldName: "a field name is not a token"
        case .whitespaceBeforeColon: "white space between field name and colon"
        case .missingColon: "a field line has no colon"
        case .foldedField: "a field value is folded over lines"
        case .invalidFieldValue: "a field value has a control character"
        case .nulByte: "a NUL byte in the head"
        case .bareLineFeed: "a line ends in LF without CR"
        case .bareCarriageReturn: "a CR without LF"
        case .missingHost: "the Host field is missing"
        case .repeatedHost: "more than one Host field"
        case .invalidHost: "the host is not a valid name or address with an optional port"
        case .invalidConnection: "the Connection field is not a list of tokens"
        case .unsupportedExpectation: "only 100-continue can be expected"
        case .invalidMaxForwards: "Max-Forwards is not one decimal number"
        case .invalidContentLength: "Content-Length is not a decimal number"
        case .repeatedContentLength: "more than one Content-Length"
        case .contentLengthOverflow: "Content-Length is too large"
        case .contentLengthWithTransferEncoding: "both Content-Length and Transfer-Encoding"
        case .transferEncodingInHTTP10: "Transfer-Encoding in HTTP/1.0"
        case .invalidTransferEncoding: "Transfer-Encoding is not a list of codings"
        case .chunkedNotLast: "chunked is not the last transfer coding, or not the only one of its name"
        case .unsupportedTransferCoding: "a transfer coding other than chunked"
        case .invalidChunkSize: "a chunk size is not a hexadecimal number"
        case .chunkSizeOverflow: "a chunk is too large"
        case .invalidChunkExtension: "a chunk extension is malformed"
        case .chunkExtensionTooLong: "chunk extensions are too long"
        case .invalidChunkEnd: "chunk data is not followed by CRLF"
        case .invalidTrailer: "a trailer field is malformed"
        case .trailerTooLarge: "the trailer section is too large"
        case .bodyTooLarge: "the request body is larger than is taken here"
        }
    }

    /// The text that makes it a fault.
    package var section: StaticString {
        switch self {
        case .invalidMethod: "RFC 9110 9.1"
        case .invalidRequestLine: "RFC 9112 3"
        case .invalidTarget, .asteriskNotOptions: "RFC 9112 3.2"
        case .invalidPath: "RFC 3986 2.1"
        case .targetTooLong: "RFC 9110 15.5.15"
        case .invalidVersion: "RFC 9112 2.3"
        case .unsupportedVersion: "RFC 9110 15.6.6"
        case .unsupportedMethod: "RFC 9110 15.6.2"
        case .invalidStatusLine: "RFC 9112 4"
        case .invalidStatusCode: "RFC 9110 15"
        case .unexpectedSwitch: "RFC 9110 15.2.2"
        case .tooManyInterimResponses: "RFC 9110 15.2"
        case .headTooLarge, .tooManyFields: "RFC 6585 5"
        case .emptyFieldName, .invalidFieldName: "RFC 9110 5.1"
        case .whitespaceBeforeColon, .missingColon: "RFC 9112 5.1"
        case .foldedField: "RFC 9112 5.2"
        case .invalidFieldValue, .nulByte: "RFC 9110 5.5"
        case .bareLineFeed, .bareCarriageReturn: "RFC 9112 2.2"
        case .missingHost, .repeatedHost, .invalidHost: "RFC 9112 3.2"
        case .invalidConnection: "RFC 9110 7.6.1"
        case .unsupportedExpectation: "RFC 9110 10.1.1"
        case .invalidMaxForwards: "RFC 9110 7.6.2"
        case .bodyTooLarge: "RFC 9110 15.5.14"
        case .invalidContentLength, .repeatedContentLength, .contentLengthOverflow: "RFC 9112 6.3"
        case .contentLengthWithTransferEncoding, .transferEncodingInHTTP10: "RFC 9112 6.1"
        case .invalidTransferEncoding, .unsupportedTransferCoding: "RFC 9112 6.1"
        case .chunkedNotLast: "RFC 9112 6.3"
        case .invalidChunkSize, .chunkSizeOverflow, .invalidChunkEnd: "RFC 9112 7.1"
        case .invalidChunkExtension, .chunkExtensionTooLong: "RFC 9112 7.1.1"
        case .invalidTrailer, .trailerTooLarge: "RFC 9112 7.1.2"
        }
    }
}
