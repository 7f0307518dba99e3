import Glibc
import Posix
import Testing

@Suite struct MailboxTests {
    private func isReadable(_ descriptor: Int32) -> Bool {
        var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&waiting, 1, 0) == 1
    }

    @Test func messagesComeInOrderAndTheDescriptorSaysSo() throws {
        let mailbox = try Mailbox<Int>(capacity: 10)
        #expect(!isReadable(mailbox.descriptor))
        for number in 1...3 { mailbox.post(number) }
        #expect(isReadable(mailbox.descriptor))
        #expect(mailbox.drain() == [1, 2, 3])
        #expect(!isReadable(mailbox.descriptor))
        #expect(mailbox.drain().isEmpty)
    }

    @Test func aFullOneRefusesAndTakesAgainWhenDrained() throws {
        let mailbox = try Mailbox<Int>(capacity: 2)
        #expect(mailbox.post(1) && mailbox.post(2))
        #expect(!mailbox.post(3))
        #expect(mailbox.drain() == [1, 2])
        #expect(mailbox.post(4))
        #expect(isReadable(mailbox.descriptor))
    }

    @Test func quietMessagesWaitForTheWakingOrForLouderOnes() throws {
        let mailbox = try Mailbox<Int>(capacity: 10)
        mailbox.wakeOwner()
        #expect(!isReadable(mailbox.descriptor))
        #expect(mailbox.postQuietly(1) && mailbox.postQuietly(2))
        #expect(!isReadable(mailbox.descriptor))
        mailbox.wakeOwner()
        #expect(isReadable(mailbox.descriptor))
        #expect(mailbox.drain() == [1, 2])
        mailbox.postQuietly(3)
        mailbox.post(4)
        #expect(isReadable(mailbox.descriptor))
        #expect(mailbox.drain() == [3, 4])
        #expect(!isReadable(mailbox.descriptor))
    }

    @Test func noMessageOfManyThreadsIsLost() throws {
        let mailbox = try Mailbox<Int>(capacity: 100_000)
        let threads = try (0..<4).map { number in
            try Thread(name: "post") {
                for step in 0..<1000 { mailbox.post(number * 1000 + step) }
            }
        }
        var received: [Int] = []
        var waiting = pollfd(fd: mailbox.descriptor, events: Int16(POLLIN), revents: 0)
        while received.count < 4000 {
            try #require(poll(&waiting, 1, 10_000) == 1, "\(received.count) of 4,000 came")
            received += mailbox.drain()
        }
        threads.forEach { $0.join() }
        #expect(received.sorted() == Array(0..<4000))
    }
}
