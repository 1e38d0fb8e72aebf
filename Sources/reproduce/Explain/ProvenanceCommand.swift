// `reproduce provenance`: beside each figure an in-toto statement of what it was made from, as SLSA asks for it.

import ArgumentParser
import Foundation
import JSON
import Notebook

struct ProvenanceCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "provenance",
    abstract:
      "Writes an in-toto statement for each figure: its digests, and those of what it was made from.",
    discussion: """
      DIR/figure2.intoto.json and so on, with SLSA's provenance as predicate. A figure that was made from \
      something else than lies here is an error; `reproduce explain` says more.
      """)

  @Option(help: "The folder to write to.") var out = "build/provenance"

  func run() throws {
    let repository = try Repository()
    let explainer = try Explainer(root: repository.root.path, ledger: readLedger(repository))
    var count = 0
    for experiment in explainer.experiments {
      for figure in experiment.figures {
        guard let statement = try explainer.statement(of: figure, by: experiment) else { continue }
        let name = figure.split(separator: "/").last ?? ""
        try writeAtomically(statement.text, to: "\(out)/\(name).intoto.json")
        count += 1
      }
    }
    print("\(count) statements in \(out)")
  }
}

extension Explainer {
  /// The statement of a figure and its tables; nil where it has not been drawn.
  ///
  /// - Throws: where an input is not what the stamp says
  func statement(of figure: String, by experiment: ExperimentSource) throws -> JSON? {
    guard let stamp = try FigureStamp(figure: "\(figure).svg", root: root) else { return nil }
    let all = try inputs.inputs(of: stamp, figure: figure, experiment: experiment)
    if let wrong = all.first(where: \.isWrong) {
      throw Failure("\(figure).svg: \(wrong.name) \(wrong.digest) \(wrong.described)")
    }
    func described(_ path: String, _ digest: Digest, as name: String, _ kind: String) -> JSON {
      [
        "name": .string(name), "uri": .string(path),
        "digest": .object([kind: .string(digest.description)]),
      ]
    }
    func described(_ path: String) throws -> JSON {
      described(path, try Digest(ofFile: "\(root)/\(path)"), as: path, "sha256")
    }
    let subjects = try written(by: experiment, figure: figure).map { try described($0) }
    let sources = [experiment.file, "Package.swift", "Makefile"]
    let dependencies =
      all.filter { $0.name != "table" }.compactMap { input in
        input.full.map { described(input.path, $0, as: input.name, input.digestKind) }
      } + (try sources.map { try described($0) })
    return [
      "_type": "https://in-toto.io/Statement/v1",
      "subject": .array(subjects),
      "predicateType": "https://slsa.dev/provenance/v1",
      "predicate": [
        "buildDefinition": [
          "buildType": "urn:x-temporal-attribution-patching:experiment",
          "externalParameters": [
            "experiment": .string(experiment.name),
            "command": .string(try targets.command(experiment)),
          ],
          "internalParameters": ["stamp": .string(stamp.text)],
          "resolvedDependencies": .array(dependencies),
        ],
        "runDetails": ["builder": ["id": "urn:x-temporal-attribution-patching:make"]],
      ],
    ]
  }

  /// The committed files of a figure's run that lie in figures/.
  func written(by experiment: ExperimentSource, figure: String) -> [String] {
    let outputs = experiment.calls.filter { $0.kind == "output" }.compactMap(\.template)
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "\(root)/figures")) ?? []
    return names.sorted().map { "figures/\($0)" }.filter { path in
      ["pdf", "svg", "tsv"].contains { "\(figure).\($0)" == path }
        || outputs.contains { $0.matches(path) }
    }
  }
}
