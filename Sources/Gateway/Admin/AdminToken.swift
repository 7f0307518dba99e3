import CLinux
import Glibc
import Posix

/// The secret that clients of the admin API show, from a file that only its owner can read.
package struct AdminToken: Hashable, Sendable {
    /// In bytes. Shorter ones could be guessed.
    package static let lengths = 16...512

    package let text: String

    /// Nil unless `text` is visible ASCII of an acceptable length, so that it can stand in a header field.
    package init?(_ text: String) {
        guard Self.lengths.contains(text.utf8.count), text.utf8.allSatisfy({ 0x21...0x7e ~= $0 }) else { return nil }
        self.text = text
    }

    /// Reads a file that holds the token and nothing else but blanks around it.
    package init(file path: String) throws(AdminTokenError) {
        let bytes: [UInt8]
        var status = stat()
        do throws(SystemError) {
            guard stat(path, &status) == 0 else { throw SystemError("open", path) }
            bytes = try readFile(path, limit: 4096)
        } catch {
            throw .system(error)
        }
        guard status.st_mode & 0o077 == 0 else { throw .readableByOthers(path, status.st_mode & 0o777) }
        let words = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isWhitespace)
        guard words.count == 1, let token = AdminToken(String(words[0])) else { throw .unusable(path) }
        self = token
    }

    /// Whether an Authorization field shows this token (RFC 6750, section 2.1). Takes as long whatever is wrong with
    /// the shown one, so that it can not be found byte by byte.
    package func isShown(by authorization: String?) -> Bool {
        guard let authorization, authorization.utf8.count > Self.scheme.utf8.count,
            authorization.prefix(Self.scheme.count).lowercased() == Self.scheme
        else { return false }
        let shown = Array(authorization.utf8.dropFirst(Self.scheme.utf8.count))
        let own = Array(text.utf8)
        var difference = UInt8(shown.count == own.count ? 0 : 1)
        for index in own.indices { difference |= own[index] ^ (index < shown.count ? shown[index] : 0) }
        return difference == 0
    }

    private static let scheme = "bearer "
}

/// Why a token file is not used.
package enum AdminTokenError: Error, Hashable, Sendable, CustomStringConvertible {
    case system(SystemError)
    case readableByOthers(String, mode_t)
    case unusable(String)

    package var description: String {
        switch self {
        case .system(let error): "the token file: \(error); \(error.cure)"
        case .readableByOthers(let path, let mode):
            "the token file \(path) has mode \(String(mode, radix: 8)), so that others can use it; chmod 600 it"
        case .unusable(let path):
            "the token file \(path) holds no token; put \(AdminToken.lengths.lowerBound) to "
                + "\(AdminToken.lengths.upperBound) visible ASCII characters in it, as `openssl rand -hex 32` makes them"
        }
    }
}
