/// Something in a configuration file that is not as it should be.
package struct ConfigurationProblem: Hashable, Sendable, CustomStringConvertible {
    /// The file's name as it was given.
    package var file: String
    /// From 1.
    package var line: Int
    /// In characters, from 1.
    package var column: Int
    /// Where in the structure, as `upstreams[0].backends[2].weight`; `syntax` when the structure is unreadable and
    /// `file` for the whole of it.
    package var path: String
    package var wrong: String
    /// What would be right, or what to do.
    package var right: String

    package var description: String { "\(file):\(line):\(column): \(path): \(wrong); \(right)" }
}

/// Everything that is wrong with a file, in the order of the file; never empty.
package struct ConfigurationProblems: Error, Hashable, Sendable, CustomStringConvertible {
    package var problems: [ConfigurationProblem]

    package var description: String { problems.map(\.description).joined(separator: "\n") }
}
