#if THREAD_SANITIZER
    import Posix

    typealias Mutex<Value: ~Copyable> = SanitizedMutex<Value>
#endif
