// An experiment's source as its page and `reproduce explain` read it: what it asks of its notebook, in which
// lines, and which cells the values of a line come from. It is read as text, so that nothing has to be run.

import Foundation
import Notebook

struct ExperimentSource {
  /// As its file and its program are called.
  let name: String

  /// Its path in the package.
  let file: String

  /// Its first heading.
  let title: String

  let calls: [NotebookCall]
  private let statements: [Statement]

  init(_ text: String, file: String) {
    self.file = file
    name = String(file.split(separator: "/").last?.dropLast(".swift".count) ?? "")
    title = text.firstMatch(of: /(?m)^\/\/ # (.+)$/).map { String($0.1) } ?? name
    calls = NotebookCall.all(in: text)
    statements = Statement.all(in: text)
  }

  /// Every experiment of a package, by name.
  static func all(root: String) throws -> [ExperimentSource] {
    let folder = "Sources/Experiments"
    return try FileManager.default.subpathsOfDirectory(atPath: "\(root)/\(folder)")
      .filter { $0.hasSuffix(".swift") }
      .map {
        let file = "\(folder)/\($0)"
        return ExperimentSource(
          try String(contentsOfFile: "\(root)/\(file)", encoding: .utf8), file: file)
      }
      .sorted { $0.name < $1.name }
  }

  /// What it draws, without an ending: `figures/figure2`.
  var figures: [String] {
    calls.filter { $0.kind == "figure" }.compactMap { $0.template.map { $0.filled(with: "") } }
  }

  /// The call that gave something of this name, or the likeliest: one that says most of the name itself,
  /// else one of the kind whose name is not in the text.
  func call(_ kind: String, of name: String) -> NotebookCall? {
    let candidates = calls.compactMap { call -> (NotebookCall, Int)? in
      // A control whose name is computed records what it measured as a number.
      let isControl = kind == "number" && call.kind == "control" && call.template == nil
      guard call.kind == kind || (kind == "number" && call.kind == "numbers") || isControl else {
        return nil
      }
      guard let template = call.template else { return (call, isControl ? -2 : -1) }
      guard call.kind == "numbers" else {
        return template.matches(name) ? (call, template.weight) : nil
      }
      // Many at a time: their names begin with what is said, or have it behind a prefix of their kind.
      return template.open.matches(name) || ".\(name)".contains(".\(template.filled(with: "")).")
        ? (call, template.open.weight) : nil
    }
    return candidates.max { $0.1 < $1.1 }?.0
  }

  /// The cells that the values of a line can come from, in the order of the file.
  func cells(behind line: Int) -> [NotebookCall] {
    guard let start = statements.firstIndex(where: { $0.lines.contains(line) }) else { return [] }
    var reached: Set<Int> = []
    var open = [start]
    while let i = open.popLast() {
      guard reached.insert(i).inserted else { continue }
      open += statements.indices.filter {
        !reached.contains($0) && !statements[$0].gives.isDisjoint(with: statements[i].reads)
      }
    }
    return calls.filter { call in
      call.kind == "cell" && reached.contains { statements[$0].lines.contains(call.line) }
    }
  }
}

/// A call such as `notebook.cell("exact map", over: ...)`.
struct NotebookCall {
  let kind: String
  let line: Int

  /// The string literals among its arguments, with their labels; nil for those that are none.
  let arguments: [(label: String, literal: NameTemplate?)]

  /// What names what it gives: its first argument; of `numbers(of:_:)` the second.
  var template: NameTemplate? {
    kind == "numbers" ? arguments.dropFirst().first?.literal : arguments.first?.literal
  }

  /// Every call of a notebook in a source.
  static func all(in text: String) -> [NotebookCall] {
    var line = 1
    var counted = text.startIndex
    return text.matches(of: /notebook\.([a-zA-Z]+)\(/).compactMap { match in
      let passed = text[counted..<match.range.lowerBound]
      line += passed.count { $0 == "\n" }
      counted = match.range.lowerBound
      let before = passed.lastIndex(of: "\n").map { passed[$0...] } ?? passed
      if before.contains("//") { return nil }
      return NotebookCall(
        kind: String(match.1), line: line, arguments: literals(text[match.range.upperBound...]))
    }
  }

  /// Calls such as `tracked("...", as: "...")` without a notebook before them, as its extensions have them.
  static func inputs(in text: String) -> [NotebookCall] {
    text.matches(of: /(tracked|input|checkpoint)\(/.wordBoundaryKind(.simple)).map {
      NotebookCall(kind: String($0.1), line: 0, arguments: literals(text[$0.range.upperBound...]))
    }
  }

  /// The arguments up to the parenthesis that closes them.
  private static func literals(_ text: Substring) -> [(label: String, literal: NameTemplate?)] {
    var found: [(String, NameTemplate?)] = []
    var (argument, literal) = ("", nil as String?)
    var depth = 0
    var rest = text
    func end() {
      let label = argument.firstMatch(of: /^\s*(\w+):/).map { String($0.1) } ?? ""
      let isLiteral =
        literal != nil && argument.trimming(label: label).allSatisfy(\.isWhitespace)
      found.append((label, isLiteral ? NameTemplate(literal: literal!) : nil))
      (argument, literal) = ("", nil)
    }
    while let character = rest.popFirst() {
      switch character {
      case "\"":
        let inside = rest.literal()
        literal = literal == nil && depth == 0 ? inside : literal
      case "(", "[", "{":
        depth += 1
        argument.append(character)
      case ")", "]", "}":
        if depth == 0 {
          end()
          return found
        }
        depth -= 1
        argument.append(character)
      case "," where depth == 0: end()
      default: argument.append(character)
      }
    }
    return found
  }
}

/// A statement at the top level of a script: which names it gives, and which it reads.
private struct Statement {
  let lines: ClosedRange<Int>
  let gives: Set<String>
  let reads: Set<String>

  static func all(in text: String) -> [Statement] {
    var found: [Statement] = []
    var (lines, start) = ([Substring](), 0)
    for (i, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      let isComment = line.hasPrefix("//")
      let begins = line.first.map { $0.isLetter || $0 == "@" } ?? false
      if begins || isComment {
        if !lines.isEmpty { found.append(Statement(lines, from: start)) }
        (lines, start) = (isComment ? [] : [line], i + 1)
      } else if !lines.isEmpty {
        lines.append(line)
      }
    }
    if !lines.isEmpty { found.append(Statement(lines, from: start)) }
    return found
  }

  private init(_ lines: [Substring], from start: Int) {
    self.lines = start...(start + lines.count - 1)
    let code = lines.map { $0.replacing(/\/\/.*$/, with: "") }.joined(separator: "\n")
    var gives: Set<String> = []
    // A guard may give several names, each in a line of its own.
    let heads = lines[0].hasPrefix("guard") ? lines[...] : lines.prefix(1)
    for head in heads {
      for match in head.matches(of: /\b(?:let|var|func|struct|enum|class)\s+(\w+)/) {
        gives.insert(String(match.1))
      }
      for match in head.matches(of: /\b(?:let|var)\s+\(([^)]*)\)/) {
        gives.formUnion(match.1.matches(of: /\w+/).map { String($0.0) })
      }
    }
    for match in code.matches(of: /(?m)^\s+(\w+)(?:\.append\(|\[[^\]\n]*\]\s*=[^=]|\s\+?=\s)/) {
      gives.insert(String(match.1))
    }
    self.gives = gives
    // Members and labels have names of their own.
    reads = Set(
      code.matches(of: /(\.?)([a-zA-Z_]\w*)(:?)/).compactMap {
        $0.1.isEmpty && $0.3.isEmpty ? String($0.2) : nil
      })
  }
}

extension String {
  fileprivate func trimming(label: String) -> Substring {
    label.isEmpty ? self[...] : drop(while: \.isWhitespace).dropFirst(label.count + 1)
  }
}

extension Substring {
  /// The inside of a string literal whose opening quote has been read, interpolations whole.
  fileprivate mutating func literal() -> String {
    var inside = ""
    while let character = popFirst(), character != "\"" {
      inside.append(character)
      guard character == "\\", let escaped = popFirst() else { continue }
      inside.append(escaped)
      guard escaped == "(" else { continue }
      var depth = 1
      while depth > 0, let next = popFirst() {
        depth += next == "(" ? 1 : next == ")" ? -1 : 0
        inside.append(next)
      }
    }
    return inside
  }
}
