import FoundationEssentials
import Gateway

/// The cluster behind several admin addresses, of which any may be dead.
package struct ClusterClient: Sendable {
    private let addresses: [AdminPlace]
    private let token: AdminToken?
    private let exchange: @Sendable (AdminCall, AdminPlace) throws(AdminExchangeError) -> AdminAnswer

    /// With `identity`, nodes that are asked by address are asked by TLS.
    package init(addresses: [AdminPlace], token: AdminToken? = nil, identity: AdminIdentity? = nil) {
        self.init(addresses: addresses, token: token) { call, place throws(AdminExchangeError) in
            try AdminExchange.run(call, at: place, as: identity)
        }
    }

    package init(
        addresses: [AdminPlace], token: AdminToken? = nil,
        exchange: @escaping @Sendable (AdminCall, AdminPlace) throws(AdminExchangeError) -> AdminAnswer
    ) {
        self.addresses = addresses
        self.token = token
        self.exchange = exchange
    }

    /// The same for one node alone.
    func asking(_ place: AdminPlace) -> ClusterClient {
        ClusterClient(addresses: [place], token: token, exchange: exchange)
    }

    /// The status as the first node that sees a quorum has it, else as the first node that answers has it.
    package func status(
        _ consistency: AdminServices.Consistency = .linearizable
    ) throws(CommandFailure) -> StatusDocument {
        var withoutQuorum: StatusDocument?
        var failures: [String] = []
        for address in addresses {
            do throws(AdminExchangeError) {
                let call = AdminCall.get("/v1/status", [], consistency, timeout: AdminCall.statusTimeout)
                let document = try decode(StatusDocument.self, send(call, to: address))
                if document.quorum { return document }
                withoutQuorum = withoutQuorum ?? document
            } catch {
                failures.append("\(address): \(error.reason)")
            }
        }
        if let withoutQuorum { return withoutQuorum }
        throw Self.unreachable(failures)
    }

    /// Asks one node after the other until one carries out `call`. A request that may have been carried out is not
    /// repeated unless it only reads.
    package func ask(_ call: AdminCall) throws(CommandFailure) -> AdminAnswer {
        var failures: [String] = []
        var refusal: CommandFailure?
        for address in addresses {
            switch attempt(call, at: address) {
            case .success(let answer) where (200...202).contains(answer.status): return answer
            case .success(let answer) where answer.status == 503: refusal = Self.failure(answer, from: address)
            case .success(let answer): throw Self.failure(answer, from: address)
            case .failure(.noAnswer(let reason)) where call.method != .get:
                throw CommandFailure(
                    .unreachable, "\(address): \(reason); whether it was done is unknown, see `gwnode status`")
            case .failure(let error): failures.append("\(address): \(error.reason)")
            }
        }
        throw refusal ?? Self.unreachable(failures)
    }

    /// Asks for a document as `ask` does.
    package func ask<Document: Decodable>(
        for type: Document.Type, _ call: AdminCall
    ) throws(CommandFailure) -> Document {
        let answer = try ask(call)
        guard let document = try? JSONDecoder().decode(type, from: Data(answer.body)) else {
            throw CommandFailure(.failure, "the node's answer can not be read; is its version another one?")
        }
        return document
    }

    private func attempt(_ call: AdminCall, at address: AdminPlace) -> Result<AdminAnswer, AdminExchangeError> {
        do throws(AdminExchangeError) { return .success(try send(call, to: address)) } catch { return .failure(error) }
    }

    private func send(_ call: AdminCall, to address: AdminPlace) throws(AdminExchangeError) -> AdminAnswer {
        var call = call
        call.token = token
        return try exchange(call, address)
    }

    private func decode<Document: Decodable>(
        _ type: Document.Type, _ answer: AdminAnswer
    ) throws(AdminExchangeError) -> Document {
        guard answer.status == 200, let document = try? JSONDecoder().decode(type, from: Data(answer.body)) else {
            throw .noAnswer("it gives no status as gwnode does (HTTP status \(answer.status))")
        }
        return document
    }

    private static func unreachable(_ failures: [String]) -> CommandFailure {
        let reasons = failures.joined(separator: "; ")
        return CommandFailure(
            .unreachable, "no node answers (\(reasons)); is one running, and is --admin or GWNODE_ADMIN right?")
    }

    /// The validator's lines alone when there are any: they are for programs too.
    private static func failure(_ answer: AdminAnswer, from address: AdminPlace) -> CommandFailure {
        let code: ExitCode = answer.status == 503 || answer.status == 504 ? .noQuorum : .failure
        guard let problem = try? JSONDecoder().decode(ProblemDetails.self, from: Data(answer.body)) else {
            return CommandFailure(code, "\(address) answers with HTTP status \(answer.status), which says no more")
        }
        let mark = problem.retryable == true ? " (can be tried again)" : ""
        return CommandFailure(code, lines: problem.problems ?? ["\(address): \(problem.line)\(mark)"])
    }
}
