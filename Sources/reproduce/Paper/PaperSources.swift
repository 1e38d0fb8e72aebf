// The paper's LaTeX files, and what they ask of the ledger.

import Foundation
import Notebook

struct PaperSources {
  let files: [Latex]

  /// The constants of the design, by their commands.
  private let constants: [String]

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
    let text = try String(contentsOfFile: "\(root)/paper/constants.tex", encoding: .utf8)
    constants = Latex(text, file: "paper/constants.tex").calls(of: ["newcommand"])
      .compactMap { $0.arguments.first.map { String($0.dropFirst()) } }
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

  /// The claims whose verdicts the text asks for.
  var usedVerdicts: Set<String> {
    Set(files.flatMap { $0.calls(of: Self.verdictCommands).compactMap(\.arguments.first) })
  }

  /// Constants that nothing asks for, a line each.
  func unused(besides others: [Latex]) -> [String] {
    let asked = (files + others).reduce(into: Set<String>()) { $0.formUnion($1.commands) }
    return constants.filter { !asked.contains($0) }.map {
      "paper/constants.tex: \\\($0) is used nowhere; take it out"
    }
  }

  /// What is wrong with the text, a line each.
  func faults(against ledger: Ledger) throws -> [String] {
    let keys = Set(try ledger.verdicts().map(\.key))
    return files.flatMap { file -> [String] in
      let numbers = file.typedNumbers().map {
        "line \($0.line): \($0.number) is typed; take it from paper/numbers.tsv by \\val or \\effect,"
          + " or give it a name in paper/constants.tex"
      }
      let shares = ReadmeText.typedResults(file.text).map {
        "line \($0.line): \"\($0.text)\" is a typed share; take it from paper/numbers.tsv"
      }
      let captions = file.captionsWithoutControl().map {
        "line \($0.line): the caption does not name its control (\"Control: ...\")"
      }
      let claims = file.calls(of: Self.verdictCommands).compactMap { call -> String? in
        let key = call.arguments.first ?? ""
        return keys.contains(key) || key == "#1"
          ? nil : "line \(call.line): the ledger has no claim \(key)"
      }
      return (numbers + shares + captions + claims).map { "\(file.file), \($0)" }
    }
  }

  /// - Parameter others: texts beside the paper that its commands are used in
  func check(against ledger: Ledger, besides others: [Latex]) throws {
    let faults = try faults(against: ledger) + unused(besides: others)
    guard faults.isEmpty else { throw Failure(faults.joined(separator: "\n")) }
  }
}
