// What is written of the repository is so: every number of paper/definitions.md and every Markdown file
// that is cited is there, and README shows the program that is built.

import Foundation
import Testing

/// The repository's text files, by their path below its root.
private struct Repository {
  let root = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  /// Those that are written by hand: sources, prose, scripts and rules, not recordings or fixtures.
  var files: [(path: String, text: String)] {
    let endings = ["swift", "md", "py", "lua", "css", "cff", "json", "tsv", "txt", ""]
    let places = [
      ".ci", "CITATION.cff", "Makefile", "Package.swift", "README.md", "Sources", "Tests",
      "artifacts", "paper",
    ]
    return places.flatMap { place -> [String] in
      guard let below = FileManager.default.enumerator(atPath: path(place)) else { return [] }
      let inside = below.compactMap { $0 as? String }.map { "\(place)/\($0)" }
      return inside.isEmpty ? [place] : inside
    }.filter { endings.contains(($0 as NSString).pathExtension) && !$0.contains("Fuzz/corpus") }
      .sorted().compactMap { name in
        guard let data = FileManager.default.contents(atPath: path(name)), data.count < 1 << 20,
          let text = String(data: data, encoding: .utf8)
        else { return nil }
        return (name, text)
      }
  }

  func path(_ name: String) -> String { root.appendingPathComponent(name).path }

  /// Whether a file is there, counted from the root or from the folder of the file that names it. A
  /// star stands for any folder.
  func has(_ name: String, namedIn file: String) -> Bool {
    let folder = (file as NSString).deletingLastPathComponent
    return [name, "\(folder)/\(name)"].contains { name in
      guard let star = name.range(of: "*/") else {
        return FileManager.default.fileExists(atPath: path(name))
      }
      let (before, behind) = (String(name[..<star.lowerBound]), name[star.upperBound...])
      let inside = (try? FileManager.default.contentsOfDirectory(atPath: path(before))) ?? []
      return inside.contains {
        FileManager.default.fileExists(atPath: path("\(before)\($0)/\(behind)"))
      }
    }
  }
}

/// The Markdown files that a text names, but for those of web addresses.
private func markdownFiles(in text: String) -> [String] {
  text.matches(of: /[A-Za-z0-9_.*\/-]+\.md\b/).map { String($0.0) }.filter { !$0.hasPrefix("//") }
}

/// The numbers of definitions that a text cites: D12 and the like, in Swift those of comments.
private func citations(in text: String, ofSwift isSwift: Bool) -> [Int] {
  text.split(separator: "\n").filter {
    !isSwift || $0.drop { $0 == " " }.hasPrefix("//")
  }.flatMap { $0.matches(of: /\bD([0-9]+)\b/).compactMap { Int($0.1) } }
}

@Suite struct DocumentationTests {
  private let repository = Repository()
  private let definitions: String

  init() throws {
    definitions = try String(
      contentsOfFile: repository.path("paper/definitions.md"), encoding: .utf8)
  }

  /// The paragraphs that define something, each with its number.
  private var defined: [(number: Int, text: Substring)] {
    definitions.split(separator: "\n\n").compactMap { paragraph in
      paragraph.prefixMatch(of: #/\*\*D([0-9]+)\. /#).map { (Int($0.1)!, paragraph) }
    }
  }

  @Test func everyDefinitionNamesTheFileThatComputesIt() {
    #expect(defined.map(\.number) == Array(1...defined.count) && defined.count > 50)
    for (number, text) in defined {
      let files = text.matches(of: /`((Sources|Tests)\/[^`]+)`/).map { String($0.1) }
      #expect(!files.isEmpty, "D\(number) names no file")
      for file in files {
        #expect(
          FileManager.default.fileExists(atPath: repository.path(file)), "D\(number): \(file)")
      }
    }
  }

  @Test func everyCitedDefinitionIsThere() {
    let known = Set(defined.map(\.number))
    let citing = repository.files.filter {
      $0.path == "paper/definitions.md" || $0.text.contains("paper/definitions.md`")
    }
    // The definitions themselves, and the comments that cite them.
    #expect(citing.count > 20)
    for (path, text) in citing {
      let cited = citations(in: text, ofSwift: path.hasSuffix(".swift"))
      #expect(!cited.isEmpty, "\(path) cites no number")
      for number in cited { #expect(known.contains(number), "\(path) cites D\(number)") }
    }
  }

  @Test func everyMarkdownFileThatIsNamedIsThere() {
    let files = repository.files
    #expect(files.count > 300 && files.contains { $0.path == "README.md" })
    for (path, text) in files where text.contains(".md") {
      // What is made stands below build, and pages name files from there.
      for name in markdownFiles(in: text) where !name.hasPrefix("build/") && !name.hasPrefix("/") {
        let own = name.replacingOccurrences(of: "../", with: "")
        #expect(repository.has(own, namedIn: path), "\(path) names \(name)")
      }
    }
  }

  /// The last Swift program of README is the one that Tests/Importing builds and `make test` runs.
  @Test func readmeShowsTheProgramThatIsBuilt() throws {
    func text(_ name: String) throws -> String {
      try String(contentsOfFile: repository.path(name), encoding: .utf8)
    }
    let blocks = try text("README.md").components(separatedBy: "```swift\n").dropFirst()
    let shown = try #require(blocks.last?.components(separatedBy: "```").first)
    #expect(try shown == text("Tests/Importing/Sources/Importing/main.swift"))
  }

  /// What is looked for is found, and what is no citation is left alone.
  @Test func citationsAreRecognised() {
    let missing = "notes/missing"
    #expect(markdownFiles(in: "(`\(missing).md`, 3)") == ["\(missing).md"])
    #expect(markdownFiles(in: "https://example.org/\(missing).md").isEmpty)
    #expect(!repository.has("\(missing).md", namedIn: "README.md"))
    #expect(repository.has("Tests/SpeechTests/Fixtures/*/README.md", namedIn: "README.md"))
    #expect(citations(in: "// D3, D14 to D15\nlet D4 = 1", ofSwift: true) == [3, 14, 15])
  }
}
