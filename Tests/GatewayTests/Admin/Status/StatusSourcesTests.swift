import FoundationEssentials
import Gateway
import Posix
import Raft
import Testing

@Suite struct StatusSourcesTests {
    private let second = BackendKey(upstream: "app", address: SocketAddress("10.0.0.2:80")!)

    /// The whole document, so that a change of any key shows.
    @Test func keysAreKept() throws {
        let text = String(decoding: AdminResponse.json(Sample.sources().document()).body, as: UTF8.self)
        let expected = """
            {
              "cluster" : "demo",
              "leader" : 1,
              "nodes" : [
                {
                  "admin" : "127.0.0.1:8091",
                  "alive" : true,
                  "appliedIndex" : 17,
                  "commitIndex" : 17,
                  "drained" : false,
                  "engine" : "epoll",
                  "fence" : "guard",
                  "id" : 1,
                  "member" : "voter",
                  "movedConnections" : {
                    "away" : 0,
                    "guarded" : 0,
                    "here" : 0,
                    "lost" : 0
                  },
                  "name" : "gw1",
                  "pid" : 101,
                  "problems" : [

                  ],
                  "raft" : "127.0.0.1:8101",
                  "rebuiltConnections" : {
                    "ended" : 0,
                    "gone" : 0,
                    "here" : 0,
                    "known" : 0,
                    "refused" : 0,
                    "shared" : 0
                  },
                  "role" : "leader",
                  "term" : 3,
                  "trailing" : 0,
                  "transition" : null,
                  "version" : "0.1.0"
                },
                {
                  "admin" : "127.0.0.1:8092",
                  "alive" : true,
                  "appliedIndex" : 15,
                  "commitIndex" : 17,
                  "drained" : false,
                  "engine" : "epoll",
                  "fence" : "guard",
                  "id" : 2,
                  "member" : "voter",
                  "movedConnections" : {
                    "away" : 0,
                    "guarded" : 0,
                    "here" : 0,
                    "lost" : 0
                  },
                  "name" : "gw2",
                  "pid" : 102,
                  "problems" : [

                  ],
                  "raft" : "127.0.0.1:8102",
                  "rebuiltConnections" : {
                    "ended" : 0,
                    "gone" : 0,
                    "here" : 0,
                    "known" : 0,
                    "refused" : 0,
                    "shared" : 0
                  },
                  "role" : "follower",
                  "term" : 3,
                  "trailing" : 2,
                  "transition" : null,
                  "version" : "0.1.0"
                },
                {
                  "admin" : "127.0.0.1:8093",
                  "alive" : false,
                  "appliedIndex" : 9,
                  "commitIndex" : 17,
                  "drained" : false,
                  "engine" : "epoll",
                  "fence" : "guard",
                  "id" : 3,
                  "member" : "voter",
                  "movedConnections" : {
                    "away" : 0,
                    "guarded" : 0,
                    "here" : 0,
                    "lost" : 0
                  },
                  "name" : "gw3",
                  "pid" : 103,
                  "problems" : [

                  ],
                  "raft" : "127.0.0.1:8103",
                  "rebuiltConnections" : {
                    "ended" : 0,
                    "gone" : 0,
                    "here" : 0,
                    "known" : 0,
                    "refused" : 0,
                    "shared" : 0
                  },
                  "role" : "unreachable",
                  "term" : 3,
                  "trailing" : 8,
                  "transition" : null,
                  "version" : "0.1.0"
                }
              ],
              "quorum" : true,
              "revision" : 1,
              "stale" : false,
              "term" : 3,
              "upstreams" : [
                {
                  "algorithm" : "round-robin",
                  "backends" : [
                    {
                      "activeRequests" : 5,
                      "address" : "10.0.0.1:80",
                      "healthy" : true,
                      "mode" : "enabled",
                      "reason" : "not checked",
                      "weight" : 1
                    },
                    {
                      "activeRequests" : 0,
                      "address" : "10.0.0.2:80",
                      "healthy" : false,
                      "mode" : "enabled",
                      "reason" : "connect refused",
                      "weight" : 5
                    }
                  ],
                  "name" : "app"
                }
              ],
              "virtualAddresses" : [
                {
                  "address" : "127.0.0.100",
                  "holder" : 1
                }
              ]
            }

            """
        #expect(text == expected)
        let decoded = try JSONDecoder().decode(StatusDocument.self, from: Data(text.utf8))
        #expect(decoded == Sample.sources().document())
    }

    @Test func unknownsAreNull() throws {
        var sources = Sample.sources()
        sources.leader = nil
        sources.sightings = [:]
        let document = sources.document()
        #expect(document.leader == nil)
        #expect(document.virtualAddresses[0].holder == nil)
        #expect(document.nodes[0].pid == nil && !document.nodes[0].alive)
        let text = String(decoding: AdminResponse.json(document).body, as: UTF8.self)
        #expect(text.contains("\"leader\" : null") && text.contains("\"pid\" : null"))
        #expect(text.contains("\"holder\" : null"))
    }

    @Test func theLaterTermHoldsTheAddress() {
        var sources = Sample.sources()
        sources.ownReport.heldAddresses = Sample.configuration.virtualAddresses
        sources.ownReport.term = Term(4)
        #expect(sources.document().virtualAddresses[0].holder == 2)
    }

    @Test func withoutQuorumTheOwnVerdictCounts() {
        var sources = Sample.sources()
        sources.hasQuorum = false
        sources.localBackends[second] = .init(verdict: HealthVerdict(.up, reason: "connected"))
        let backend = sources.document().upstreams[0].backends[1]
        #expect(backend.healthy && backend.reason == "connected")
    }

    @Test func ejectionsOfOtherNodesAreNamed() {
        var sources = Sample.sources()
        sources.sightings[NodeID(1)]?.report.ejected = [FakeNode.backend]
        #expect(sources.document().upstreams[0].backends[0].reason.hasSuffix("; ejected by gw1"))
        #expect(!sources.document().upstreams[0].backends[1].reason.contains("ejected"))
        sources.connected = []
        #expect(!sources.document().upstreams[0].backends[0].reason.contains("ejected"), "it is dead")
    }

    @Test func requestsThatWaitAreShownWithTheReason() {
        var sources = Sample.sources()
        #expect(sources.document().upstreams[0].queue == nil)
        sources.configuration?.upstreams[0].limits = LoadLimits(requests: 100, requestsPerBackend: 60)
        sources.ownReport.queues = [UpstreamQueue(upstream: "app", waiting: 3, isUpstreamFull: false)]
        sources.sightings[NodeID(1)]?.report.queues = [
            UpstreamQueue(upstream: "app", waiting: 12, isUpstreamFull: true)
        ]
        let queue = sources.document().upstreams[0].queue
        #expect(queue?.waiting == 15)
        #expect(
            queue?.reason
                == "12 at gw1, where limits.requests (100) is reached; 3 at gw2, where limits.requestsPerBackend (60) is reached"
        )
        sources.connected = []
        #expect(sources.document().upstreams[0].queue?.waiting == 3, "gw1 is dead")
    }

    @Test func localTroubleIsNamed() {
        var sources = Sample.sources()
        sources.localBackends[FakeNode.backend] = .init(verdict: HealthVerdict(.down, reason: "timed out"))
        #expect(sources.document().upstreams[0].backends[0].reason == "up for the cluster, not from here: timed out")
        sources.localBackends[FakeNode.backend] = .init(verdict: .unknown, avoidance: .suspected(.connectRefused))
        #expect(sources.document().upstreams[0].backends[0].reason == "avoided for a moment: connect refused")
    }
}
