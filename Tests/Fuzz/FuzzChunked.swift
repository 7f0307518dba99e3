/// A chunked body, decoded whole and in pieces with the same outcome.
@_cdecl("LLVMFuzzerTestOneInput")
func fuzzChunked(_ data: UnsafePointer<UInt8>, _ size: Int) -> Int32 {
    Input.withCopy(UnsafeRawBufferPointer(start: data, count: size)) { checkBody($0, .chunked) }
    return 0
}
