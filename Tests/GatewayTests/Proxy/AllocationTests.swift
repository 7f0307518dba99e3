import AllocationCounter
import Gateway
import Glibc
import Posix
import Testing

/// Speed that can be tested on a noisy machine: what the request path does not do.
@Suite(.serialized) struct AllocationTests {
    /// Without optimisation generic code allocates where it is not specialised, so this is for `swift test -c release`.
    #if DEBUG
        private static let isOptimised = false
    #else
        private static let isOptimised = true
    #endif

    @Test(
        .enabled(if: isOptimised && allocation_counter_works() != 0, "needs an optimised, unsanitised build"),
        arguments: [AccessLogFormat?.none, .json], EngineTests.engines)
    func keptConnectionsServeRequestsWithoutAllocating(format: AccessLogFormat?, engine: EngineChoice) throws {
        if engine == .ioUring, RingEngine.obstacle() != nil { return }
        let backend = try TestBackend(named: "one")
        let log = try TestLog(format ?? .combined)
        var options = log.options
        options.threadName = "counted"
        options.engine = engine
        if format == nil { options.accessLog = nil }
        let gateway = try TestGateway([backend.address], options: options)
        let client = try gateway.connect()
        for _ in 0..<100 { #expect(try client.get().text == "one") }
        allocation_counter_watch(try #require(AllocationTests.thread(named: "counted-0")))
        for _ in 0..<1_000 { #expect(try client.get().text == "one") }
        #expect(allocation_counter_value() == 0)
        allocation_counter_watch(0)
        gateway.pool.stop()
    }

    private static func thread(named name: String) -> Int32? {
        guard let directory = opendir("/proc/self/task") else { return nil }
        defer { closedir(directory) }
        while let entry = readdir(directory) {
            let tid = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                Int32(String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self))
            }
            guard let tid, let file = fopen("/proc/self/task/\(tid)/comm", "r") else { continue }
            defer { fclose(file) }
            var line = [UInt8](repeating: 0, count: 32)
            let count = fread(&line, 1, line.count, file)
            if String(decoding: line[..<count], as: UTF8.self) == name + "\n" { return tid }
        }
        return nil
    }
}
