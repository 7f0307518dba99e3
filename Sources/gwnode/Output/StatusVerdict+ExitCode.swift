import Gateway

extension StatusVerdict {
    package var code: ExitCode {
        switch condition {
        case .healthy: .success
        case .degraded: .failure
        case .noQuorum: .noQuorum
        }
    }
}
