import Posix

/// Why a node did not start, and what to do about it, in one line.
struct StartFailure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }

    static func wrap<Value: ~Copyable>(_ body: () throws(SystemError) -> Value) throws(StartFailure) -> Value {
        do throws(SystemError) { return try body() } catch { throw StartFailure("\(error); \(error.cure)") }
    }
}
