#if THREAD_SANITIZER
    import Posix

    /// The thread sanitizer does not follow the standard library's mutex.
    typealias Mutex<Value: ~Copyable> = SanitizedMutex<Value>
#endif
