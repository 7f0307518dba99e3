import Testing
import gwnode

@Suite struct TextTableTests {
    @Test func columnsAreAligned() {
        var table = TextTable(columns: [.left, .right, .left])
        table.add([.init("NAME"), .init("COUNT"), .init("NOTE")])
        table.add([.init("a"), .init("1"), .init("")])
        table.add([.init("büro"), .init("12345678"), .init("x", .bad)])
        #expect(
            table.lines(coloured: false) == [
                "NAME     COUNT  NOTE",
                "a            1  ",
                "büro  12345678  x",
            ])
        #expect(table.lines(coloured: true)[2] == "büro  12345678  \u{1b}[31mx\u{1b}[0m")
    }

    @Test func nothingInATableDrivesTheTerminal() {
        var table = TextTable(columns: [.left])
        table.add([.init("\u{1b}]0;title\u{7}\n\u{202e}")])
        #expect(table.lines(coloured: true) == ["\\u{1b}]0;title\\u{7}\\u{a}\\u{202e}"])
    }
}
