// The paper's LaTeX files, and what they ask of the ledger.

import Foundation
import Notebook

struct PaperSources {
  let files: [Latex]

  /// paper/*.tex and paper/sections/*.tex but for the list of constants, sorted by name.
  init(root: String) throws {
    var paths: [String] = []
    for folder in ["paper", "paper/sections"] {
      let names = try FileManager.default.contentsOfDirectory(atPath: "\(root)/\(folder)").sorted()
      paths += names.filter { $0.hasSuffix(".tex") && $0 != "constants.tex" }.map {
        "\(folder)/\($0)"
      }
    }
    files = try paths.map {
      Latex(try String(contentsOfFile: "\(root)/\($0)", encoding: .utf8), file: $0)
    }
  }

  static let numberCommands: Set<String> = ["val", "effect", "interval", "control"]
  static let verdictCommands: Set<String> = ["byverdict", "countof", "holdsin", "failsin"]

  /// The macros that the text asks for.
  var used: Set<String> {
    Set(
      files.flatMap { $0.calls(of: Self.numberCommands) }.filter { $0.arguments.first != "#1" }
        .flatMap {
          call -> [String] in
          let name = call.arguments.first ?? ""
          switch call.command {
          case "interval": return [name + "Interval"]
          case "val": return [name]
          default: return [name, name + "Interval"]
          }
        })
  }

  /// What is wrong with the text, a line each.
  func faults(against ledger: Ledger) throws -> [String] {
    let keys = Set(try ledger.verdicts().map(\.key))
    return files.flatMap { file -> [String] in
      file.typedNumbers().map {
        "\(file.file), line \($0.line): \($0.number) is typed; take it from paper/numbers.tsv by \\val or \\effect,"
          + " or give it a name in paper/constants.tex"
      }
        + file.captionsWithoutControl().map {
          "\(file.file), line \($0.line): the caption does not name its control (\"Control: ...\")"
        }
        + file.calls(of: Self.verdictCommands).compactMap {
          let key = $0.arguments.first ?? ""
          return keys.contains(key) || key == "#1"
            ? nil : "\(file.file), line \($0.line): the ledger has no claim \(key)"
        }
    }
  }

  func check(against ledger: Ledger) throws {
    let faults = try faults(against: ledger)
    guard faults.isEmpty else { throw Failure(faults.joined(separator: "\n")) }
  }
}
