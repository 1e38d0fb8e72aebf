// What a text quotes, and which control stands beside it: the numbers of `\control` that come next in the same
// sentence.

import Foundation
import Notebook

/// A number or a claim that a text quotes.
struct Quoted: Equatable {
  enum Kind: String { case number, claim }

  let kind: Kind

  /// A number's macro, or a claim's key.
  let name: String

  /// The macros of its controls; none where it is one itself.
  let controls: [String]
  let isControl: Bool
}

extension Latex {
  /// The numbers and claims of a text, in their order, those inside arguments too.
  func quoted() -> [Quoted] {
    let commands = PaperSources.numberCommands.union(PaperSources.verdictCommands)
    return sentences.flatMap { sentence -> [Quoted] in
      let calls = Latex(sentence, file: file).calls(of: commands).filter {
        $0.arguments.first != "#1"
      }
      return calls.enumerated().compactMap { i, call in
        guard let name = call.arguments.first else { return nil }
        if PaperSources.verdictCommands.contains(call.command) {
          return Quoted(kind: .claim, name: name, controls: [], isControl: false)
        }
        let isControl = call.command == "control"
        let next = calls[(i + 1)...].drop { $0.command != "control" }.prefix {
          $0.command == "control"
        }
        return Quoted(
          kind: .number, name: name,
          controls: isControl ? [] : next.compactMap(\.arguments.first), isControl: isControl)
      }
    }
  }

  /// The sentences: they end with a point before a space, or with their paragraph.
  private var sentences: [String] {
    text.split(separator: "\n\n").flatMap { paragraph in
      paragraph.replacing(/\.(\s)/) { ".\u{0}\($0.1)" }.split(separator: "\u{0}").map(String.init)
    }
  }
}
