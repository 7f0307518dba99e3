import Glibc
import Posix
import Synchronization
import TLS

/// The admin API's HTTP/1.1 server, on a thread of its own.
package final class AdminServer: Sendable {
    /// Where it listens, with the port that the kernel chose if 0 was asked for.
    package let endpoint: AdminPlace
    private let listener: AdminListener
    private let mailbox: Mailbox<AdminLoop.Event>
    private let thread: Thread
    private let hasPostedNews: NewsFlag
    private let isLeft = Atomic(false)

    /// Listens and starts to serve. Addresses that other machines can reach are refused unless clients have to show a
    /// token or a certificate, since everyone who reaches the API may use all of it. With `certificate`, which is the
    /// server's from now on, clients speak TLS and show one of the same authority.
    package init(
        _ endpoint: AdminPlace, rights: AdminSocketRights = .standard, inheriting inherited: Int32? = nil,
        handler: AdminHandler, certificate: sending NodeCertificate? = nil
    ) throws(AdminServerError) {
        guard endpoint.isLocal || handler.needsToken || certificate != nil else {
            throw .reachableFromOutside(endpoint)
        }
        let listener = try AdminListener(endpoint, rights, inheriting: inherited)
        self.listener = listener
        self.endpoint = listener.endpoint
        do throws(SystemError) {
            let mailbox = try Mailbox<AdminLoop.Event>(capacity: AdminLoop.mailboxCapacity)
            self.mailbox = mailbox
            let hasPostedNews = NewsFlag()
            self.hasPostedNews = hasPostedNews
            let loop = try AdminLoop(
                listener: listener, mailbox: mailbox, handler: handler, security: certificate.map(AdminSecurity.init),
                hasPostedNews: hasPostedNews)
            thread = try Thread(name: "admin") { loop.run() }
        } catch {
            listener.remove()
            throw .system(endpoint, error)
        }
    }

    /// Lets watchers know what has changed, soon. From any thread.
    package func tellWatchers() {
        if hasPostedNews.set(), !mailbox.post(.news) { hasPostedNews.clear() }
    }

    /// Of the listening socket; another process may go on with a copy of it.
    package var descriptor: Int32 { listener.descriptor }

    /// Leaves new connections to another process, for good; those that are there are answered yet.
    package func leaveToSuccessor() {
        isLeft.store(true, ordering: .releasing)
        while !mailbox.post(.leave) { sched_yield() }
    }

    /// Closes all connections and waits for the thread to end.
    package func stop() {
        while !mailbox.post(.stop) { sched_yield() }
        thread.join()
        if !isLeft.load(ordering: .acquiring) { listener.remove() }
    }
}

package enum AdminServerError: Error, Hashable, Sendable, CustomStringConvertible {
    case reachableFromOutside(AdminPlace)
    case noAddress(HostPort)
    /// No user or group of this machine has that name.
    case unknown(String, String)
    case system(AdminPlace, SystemError)

    package var description: String {
        switch self {
        case .reachableFromOutside(let address):
            "admin address \(address) is reachable from other machines; use 127.0.0.1, or adminTls, or name a token file with adminToken"
        case .noAddress(let place): "the admin API can not listen on the name \(place); use an address"
        case .unknown(let what, let name):
            "adminSocket: this machine has no \(what) \(name); use one that `getent \(what == "user" ? "passwd" : "group")` lists"
        case .system(let address, let error):
            "cannot serve the admin API on \(address): \(SystemError.message(for: error.code)); \(error.cure)"
        }
    }
}
