import FoundationEssentials
import Gateway

/// Status documents as a node sends them.
enum Sample {
    static func healthy() throws -> StatusDocument {
        try decode(
            third:
                #""role":"follower","alive":true,"term":3,"commitIndex":17,"appliedIndex":17,"trailing":0,"pid":103,"#
                + #""version":"0.1.0""#,
            second: #""mode":"enabled","healthy":true,"reason":"connected""#)
    }

    static func degraded() throws -> StatusDocument {
        try decode(
            third: #""role":"unreachable","alive":false,"term":null,"commitIndex":null,"appliedIndex":null,"#
                + #""trailing":null,"pid":null,"version":null"#,
            second: #""mode":"draining","healthy":false,"reason":"connect refused""#)
    }

    private static func decode(third: String, second: String) throws -> StatusDocument {
        let text = """
            {"cluster":"demo","term":3,"leader":1,"quorum":true,"stale":false,"revision":4,
             "virtualAddresses":[{"address":"127.0.0.100","holder":1}],
             "nodes":[
              {"id":1,"name":"gw1","member":"voter","transition":null,"drained":false,"role":"leader","alive":true,"term":3,
               "commitIndex":17,"appliedIndex":17,"trailing":0,"fence":"kernel","engine":"io_uring","problems":[],"movedConnections":{"away":7,"here":5,"lost":1,"guarded":9},"rebuiltConnections":{"here":9,"ended":2,"gone":1,"known":0,"refused":0,"shared":0},"raft":"127.0.0.1:8101","admin":"127.0.0.1:8091","pid":101,"version":"0.1.0"},
              {"id":2,"name":"gw2","member":"voter","transition":null,"drained":false,"role":"follower","alive":true,"term":3,
               "commitIndex":17,"appliedIndex":15,"trailing":2,"fence":"kernel","engine":"io_uring","problems":[],"movedConnections":{"away":0,"here":0,"lost":0,"guarded":0},"rebuiltConnections":null,"raft":"127.0.0.1:8102","admin":"127.0.0.1:8092","pid":102,"version":"0.1.0"},
              {"id":3,"name":"gw3","member":"voter","transition":null,"drained":false,"fence":"kernel","engine":"io_uring","problems":[],"movedConnections":null,"rebuiltConnections":null,"raft":"127.0.0.1:8103",
               "admin":"127.0.0.1:8093",\(third)}],
             "upstreams":[{"name":"app","algorithm":"round-robin","backends":[
              {"address":"10.0.0.1:80","weight":1,"mode":"enabled","healthy":true,"activeRequests":5,
               "reason":"connected"},
              {"address":"10.0.0.2:80","weight":5,"activeRequests":0,\(second)}]}]}
            """
        return try JSONDecoder().decode(StatusDocument.self, from: Data(text.utf8))
    }
}
