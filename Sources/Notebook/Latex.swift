// LaTeX sources as the paper's checks read them: which numbers are asked of the ledger, which are typed by
// hand, and what a reader sees of them.

/// One LaTeX source without its comments; of one with a preamble, the document alone.
public struct Latex: Sendable {
  public let file: String

  /// What is read, lines kept where they were.
  public let text: String

  public init(_ source: String, file: String) {
    self.file = file
    var lines = source.split(separator: "\n", omittingEmptySubsequences: false).map(withoutComment)
    if let start = lines.firstIndex(where: { $0.contains("\\begin{document}") }) {
      for i in 0...start { lines[i] = "" }
    }
    text = lines.joined(separator: "\n")
  }

  /// A command with its arguments in braces, as many as stand there, optional ones left out.
  public struct Call: Equatable, Sendable {
    public let command: String
    public let arguments: [String]
    public let line: Int
  }

  /// Every call of one of these commands, in order, those inside arguments too.
  public func calls(of commands: Set<String>) -> [Call] {
    var found: [Call] = []
    var scanner = Scanner(text)
    while let command = scanner.nextCommand() {
      guard commands.contains(command) else { continue }
      var ahead = scanner
      found.append(Call(command: command, arguments: ahead.arguments(), line: scanner.line))
    }
    return found
  }

  /// Every command that stands in the text, by name.
  public var commands: Set<String> {
    var found: Set<String> = []
    var scanner = Scanner(text)
    while let command = scanner.nextCommand() { found.insert(command) }
    return found
  }

  /// The numbers that are typed, with their lines.
  ///
  /// Allowed are: years; digits of a name, that is of a word which begins with a letter (Figure S7, D14,
  /// Qwen2.5-0.5B); and the arguments of commands that name or measure something and print no number of
  /// their own. Constants of the design have commands of their own (``LatexConstant``).
  public func typedNumbers() -> [(number: String, line: Int)] {
    var found: [(String, Int)] = []
    var scanner = Scanner(text)
    while let character = scanner.peek {
      if character == "\\" {
        guard let command = scanner.nextCommand(), let count = naming[command] else { continue }
        _ = scanner.arguments(atMost: count)
      } else if character.isWordPart {
        let line = scanner.line
        let word = scanner.word()
        if let first = word.first, !first.isLetter, word.contains(where: \.isNumber), !isYear(word)
        {
          found.append((word, line))
        }
      } else {
        scanner.skip()
      }
    }
    return found
  }

  /// What stands for a command: how many arguments it takes, and the LaTeX that they become.
  public struct Meaning {
    public let arity: Int
    public let latex: ([String]) throws -> String

    public init(_ arity: Int, _ latex: @escaping ([String]) throws -> String) {
      self.arity = arity
      self.latex = latex
    }
  }

  /// The text as a reader sees it: commands put in, markup left out, a blank line between paragraphs.
  ///
  /// - Parameter meaning: what stands for a command that is not LaTeX's own
  /// - Throws: where a command has no meaning, with its line
  public func plain(_ meaning: (String) -> Meaning?) throws -> String {
    try text.split(separator: "\n\n").map { paragraph in
      try set(String(paragraph), meaning).split { $0.isWhitespace }.joined(separator: " ")
    }
    .filter { !$0.isEmpty }.joined(separator: "\n\n")
  }

  private func set(_ latex: String, _ meaning: (String) -> Meaning?) throws -> String {
    var plain = ""
    var scanner = Scanner(latex)
    while let character = scanner.peek {
      switch character {
      case "\\":
        guard let command = scanner.nextCommand() else { break }
        if let symbol = symbols[command] {
          plain += symbol
          scanner.skipSpaces(behind: command)
        } else if wrapping.contains(command) {
          plain += try set(scanner.arguments(atMost: 1).first ?? "", meaning)
        } else if command == "ensuremath" {
          let formula = scanner.arguments(atMost: 1).first ?? ""
          plain += try set(formula.replacing("-", with: "\u{2212}"), meaning)
        } else if let known = meaning(command) {
          let arguments = scanner.arguments(atMost: known.arity)
          if known.arity == 0 { scanner.skipSpaces(behind: command) }
          guard arguments.count == known.arity else {
            throw Failure("\(file): \\\(command) takes \(known.arity) arguments in braces")
          }
          plain += try set(known.latex(arguments), meaning)
        } else {
          throw Failure("\(file): what \\\(command) prints is not known; take it out or define it")
        }
      case "~":
        plain += " "
        scanner.skip()
      case "{", "}", "$": scanner.skip()
      default:
        plain.append(character)
        scanner.skip()
      }
    }
    return plain.replacing("---", with: "\u{2014}").replacing("--", with: "\u{2013}")
      .replacing("``", with: "\u{201C}").replacing("''", with: "\u{201D}")
      .replacing("`", with: "\u{2018}").replacing("'", with: "\u{2019}")
  }

  /// The captions of figures that do not say what their control is.
  public func captionsWithoutControl() -> [Call] {
    var environment = ""
    return calls(of: ["begin", "caption"]).filter {
      let argument = $0.arguments.first ?? ""
      if $0.command == "begin" { environment = argument }
      return $0.command == "caption" && environment.hasPrefix("figure")
        && !argument.contains("Control:") && !argument.contains("Controls:")
    }
  }
}

/// Commands whose first arguments are names or lengths, and how many of them.
private let naming = [
  "begin": 1, "end": 1, "input": 1, "includegraphics": 1, "ref": 1, "label": 1, "cite": 1,
  "citep": 1, "citet": 1,
  "bibliography": 1, "bibliographystyle": 1, "url": 1, "vspace": 1, "hspace": 1, "setlength": 2,
  "val": 1,
  "effect": 1, "interval": 1, "control": 1, "byverdict": 1, "countof": 1, "holdsin": 1,
  "failsin": 1, "rule": 2,
  "newcommand": 1, "fontsize": 2,
]

/// Commands that print one symbol, and those that print their argument.
private let symbols = [
  "%": "%", "&": "&", "_": "_", "#": "#", "$": "$", ",": " ", " ": " ", "times": "\u{D7}",
  "\\": "\n",
]
private let wrapping: Set = ["emph", "texttt", "textbf", "mathrm"]

private func isYear(_ word: String) -> Bool {
  let digits = word.filter { $0.isNumber }
  guard word.allSatisfy({ $0.isNumber || $0 == "." }), word.last != "." || word.count == 5 else {
    return false
  }
  return digits.count == 4 && (digits.hasPrefix("19") || digits.hasPrefix("20"))
    && !word.dropLast().contains(".")
}

private func withoutComment(_ line: Substring) -> String {
  var kept = ""
  var isEscaped = false
  for character in line {
    if character == "%" && !isEscaped { break }
    isEscaped = character == "\\" && !isEscaped
    kept.append(character)
  }
  return kept
}

extension Character {
  fileprivate var isWordPart: Bool { isASCII && (isLetter || isNumber || "._-+/@".contains(self)) }
}

/// Reads LaTeX from its beginning to its end.
private struct Scanner {
  private let characters: [Character]
  private var place = 0
  private(set) var line = 1

  init(_ text: String) { characters = Array(text) }

  var peek: Character? { place < characters.count ? characters[place] : nil }

  mutating func skip() {
    if peek == "\n" { line += 1 }
    place += 1
  }

  /// Goes on behind the next command, and says its name; nil at the end. A control symbol has its symbol.
  mutating func nextCommand() -> String? {
    while let character = peek, character != "\\" { skip() }
    guard peek != nil else { return nil }
    skip()
    var name = ""
    while let letter = peek, letter.isASCII, letter.isLetter {
      name.append(letter)
      skip()
    }
    if name.isEmpty, let symbol = peek {
      name.append(symbol)
      skip()
    }
    return name
  }

  /// What LaTeX passes over behind the name of a command, if that is of letters.
  mutating func skipSpaces(behind command: String) {
    guard command.first?.isLetter == true else { return }
    while let space = peek, space.isWhitespace { skip() }
  }

  mutating func word() -> String {
    var word = ""
    while let character = peek, character.isWordPart {
      word.append(character)
      skip()
    }
    return word
  }

  /// The arguments in braces that follow at once, optional ones passed over.
  mutating func arguments(atMost limit: Int = 9) -> [String] {
    var found: [String] = []
    while found.count < limit {
      var ahead = self
      while let space = ahead.peek, space.isWhitespace { ahead.skip() }
      guard let open = ahead.peek, open == "{" || open == "[" else { break }
      self = ahead
      let content = balanced(open: open, close: open == "{" ? "}" : "]")
      if open == "{" { found.append(content) }
    }
    return found
  }

  private mutating func balanced(open: Character, close: Character) -> String {
    var content = ""
    var depth = 0
    while let character = peek {
      skip()
      if character == "\\", let next = peek {
        content.append(contentsOf: [character, next])
        skip()
        continue
      }
      if character == open { depth += 1 }
      if character == close { depth -= 1 }
      if depth == 0 { break }
      if depth > 1 || character != open { content.append(character) }
    }
    return content
  }
}
