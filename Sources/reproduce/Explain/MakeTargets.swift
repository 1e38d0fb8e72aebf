// Which command of the Makefile runs an experiment, what it needs first, and how long it took: from the
// Makefile itself, whose list of targets says so.

import Foundation
import Notebook

struct MakeTargets {
  struct Target: Equatable {
    let name: String

    /// `2 min`, as the list of targets says it; empty where it does not.
    let time: String

    /// `2.8 GiB`; empty where it is no more than README's first page says.
    let memory: String
  }

  /// The target by the experiment that it runs.
  private let targets: [String: Target]

  init(makefile: String) {
    var targets: [String: Target] = [:]
    var (name, help) = ("", "")
    for line in makefile.split(separator: "\n") {
      if let match = line.firstMatch(of: /^([A-Za-z0-9-]+):.*## (.+)$/) {
        (name, help) = (String(match.1), String(match.2))
      } else if let match = line.firstMatch(of: /^\t@?\$\(BIN\)\/([a-z0-9-]+) \$\(RUN\)/) {
        // What the last parentheses hold: time, memory, what it needs.
        let facts = help.matches(of: /\(([^()]*)\)/).last.map { String($0.1) } ?? ""
        func fact(_ pattern: Regex<Substring>) -> String {
          facts.firstMatch(of: pattern).map { String($0.0) } ?? ""
        }
        targets[String(match.1)] = Target(
          name: name, time: facts.contains("not run") ? "" : fact(/[\d.]+ (?:s|min|h)\b/),
          memory: fact(/[\d.]+ GiB/))
      }
    }
    self.targets = targets
  }

  init(root: String) throws {
    self.init(makefile: try String(contentsOfFile: "\(root)/Makefile", encoding: .utf8))
  }

  subscript(experiment: String) -> Target? { targets[experiment] }

  /// The command that runs an experiment, with what must be fetched for it.
  func command(_ experiment: ExperimentSource) throws -> String {
    guard let target = targets[experiment.name] else {
      throw Failure("no target of the Makefile runs \(experiment.name)")
    }
    let asked = Set(experiment.calls.map(\.kind))
    let needs =
      (asked.isDisjoint(with: ["published", "publishedFolder", "joined"]) ? [] : ["published"])
      + (asked.contains("recordings") ? ["data"] : [])
    return (["make"] + needs + [target.name]).joined(separator: " ")
  }
}
