/// Goes through a file's values for the schemas: knows where it is, and collects what is wrong.
struct SchemaReader {
    private enum Step {
        case key(String)
        case index(Int)
    }

    /// A value that has to be defined somewhere else in the file.
    private struct Reference {
        let offset: Int
        let path: String
        let value: String
        let target: String
        let what: String
    }

    private struct Found {
        let offset: Int
        let path: String
        let wrong: String
        /// Looks for similar words, which takes too long for problems that are not shown.
        let right: () -> String
    }

    /// More problems than these help nobody.
    private static let maximumProblems = 100
    /// Problems after these are only counted.
    private static let maximumFound = 10_000

    private let source: SourceText
    private var path: [Step] = []
    private var found: [Found] = []
    private var uncollected = 0
    private var references: [Reference] = []
    /// The offset of each distinct value, by the place it stands in and its text.
    private var definitions: [String: [String: Int]] = [:]
    private var arrays: Set<String> = []

    init(source: SourceText) { self.source = source }

    mutating func inside<Result>(key: String, _ body: (inout SchemaReader) -> Result) -> Result {
        path.append(.key(key))
        defer { path.removeLast() }
        return body(&self)
    }

    mutating func inside<Result>(index: Int, _ body: (inout SchemaReader) -> Result) -> Result {
        path.append(.index(index))
        defer { path.removeLast() }
        return body(&self)
    }

    mutating func enterArray() { arrays.insert(text(of: path)) }

    /// The current place without the index in the innermost array, as `upstreams[].name`: the same for values that
    /// have to differ from each other.
    private var place: String {
        let last = path.lastIndex { step in
            switch step {
            case .index: true
            case .key: false
            }
        }
        guard let last else { return text(of: path) }
        return "\(text(of: path[..<last]))[]\(text(of: path[(last + 1)...], isBeginning: false))"
    }

    private func text(of steps: some Sequence<Step>, isBeginning: Bool = true) -> String {
        var text = ""
        for step in steps {
            switch step {
            case .index(let index): text += "[\(index)]"
            case .key(let key): text += (isBeginning && text.isEmpty ? "" : ".") + (isPlain(key) ? key : quoted(key))
            }
        }
        return text
    }

    private func isPlain(_ key: String) -> Bool {
        !key.isEmpty && key.utf8.count <= 64
            && key.utf8.allSatisfy { Character(Unicode.Scalar($0)).isLetter || $0 == 0x5f || 0x30...0x39 ~= $0 }
    }

    mutating func report(at offset: Int, _ wrong: String, _ right: @escaping @autoclosure () -> String) {
        let path = text(of: path)
        collect(Found(offset: offset, path: path.isEmpty ? "file" : path, wrong: wrong, right: right))
    }

    private mutating func collect(_ problem: Found) {
        if found.count < SchemaReader.maximumFound { found.append(problem) } else { uncollected += 1 }
    }

    func line(at offset: Int) -> Int { source.line(at: offset) }

    /// Notes a value that must occur once among its siblings; reports the second one.
    mutating func define(_ value: String, at offset: Int) {
        let place = place
        if let first = definitions[place]?[value] {
            let line = line(at: first)
            report(at: offset, "\(quoted(value)) is here for the second time", "the first is on line \(line)")
        } else {
            definitions[place, default: [:]][value] = offset
        }
    }

    /// Notes that `value` has to be defined at `target`, a place such as `upstreams[].name`.
    mutating func refer(to value: String, in target: String, _ what: String, at offset: Int) {
        references.append(Reference(offset: offset, path: text(of: path), value: value, target: target, what: what))
    }

    private mutating func resolveReferences() {
        for reference in references {
            guard let array = reference.target.firstRange(of: "[]").map({ reference.target[..<$0.lowerBound] }),
                arrays.contains(String(array))
            else { continue }
            let known = definitions[reference.target] ?? [:]
            if known[reference.value] != nil { continue }
            let wrong = "there is no \(reference.what) \(quoted(reference.value))"
            collect(
                Found(offset: reference.offset, path: reference.path, wrong: wrong) {
                    SchemaReader.advice(for: reference.value, among: known.keys.sorted(), else: "define it")
                })
        }
        references = []
    }

    /// What to say about a word that is not among the known ones.
    static func advice(for word: String, among known: [String], else fallback: String) -> String {
        if let closest = Spelling.closest(to: word, among: known) { return "did you mean \(quoted(closest))?" }
        guard let last = known.last else { return fallback }
        if known.count == 1 { return "use \(quoted(last))" }
        if known.count > 20 { return fallback }
        return "use one of \(known.map(quoted).joined(separator: ", "))"
    }

    /// Everything that was reported, in the order of the file.
    consuming func finish() -> [ConfigurationProblem] {
        resolveReferences()
        let sorted = found.enumerated().sorted { ($0.element.offset, $0.offset) < ($1.element.offset, $1.offset) }
        var problems = sorted.prefix(SchemaReader.maximumProblems).map { _, one in
            source.problem(at: one.offset, path: one.path, wrong: one.wrong, right: one.right())
        }
        if let next = sorted.dropFirst(SchemaReader.maximumProblems).first?.element {
            let rest = sorted.count - problems.count + uncollected
            problems.append(
                source.problem(
                    at: next.offset, path: "file", wrong: "\(rest) more problems from here on",
                    right: "correct the ones before first"))
        }
        return problems
    }
}
