import Glibc

/// A system call that failed: which, on what, and the kernel's reason.
package struct SystemError: Error, Hashable, Sendable, CustomStringConvertible {
    package let operation: String
    package let subject: String
    package let code: Int32

    package init(_ operation: String, _ subject: String = "", code: Int32 = errno) {
        self.operation = operation
        self.subject = subject
        self.code = code
    }

    package static func message(for code: Int32) -> String { String(cString: strerror(code)) }

    package var description: String {
        let what = subject.isEmpty ? operation : "\(operation) \(subject)"
        return "\(what): \(SystemError.message(for: code))"
    }
}

/// Runs a system call again while a signal interrupts it.
@inline(__always)
package func retryingOnInterrupt<Result: FixedWidthInteger & SignedInteger>(_ call: () -> Result) -> Result {
    while true {
        let result = call()
        if result != -1 || errno != EINTR { return result }
    }
}
