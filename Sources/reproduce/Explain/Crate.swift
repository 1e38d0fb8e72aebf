// RO-Crate 1.1 metadata of the paper's figures, numbers and experiments: which program made which file from what.

import Foundation
import JSON
import Notebook

struct Crate {
  let root: String
  let explainer: Explainer

  /// The day of publication, as in 2026-11-29.
  let date: String

  private static let encodings = [
    "pdf": "application/pdf", "svg": "image/svg+xml", "tsv": "text/tab-separated-values",
    "txt": "text/plain", "md": "text/markdown", "json": "application/json", "swift": "text/x-swift",
    "cff": "text/yaml",
  ]

  /// The files of the crate, by their paths in the package.
  func files() throws -> [String] {
    let folders = [
      ("figures", ""), ("paper", ".tsv"), ("paper", ".json"), ("paper", ".md"),
      ("data-manifests", ""),
    ]
    let listed = try folders.flatMap { folder, ending in
      try FileManager.default.contentsOfDirectory(atPath: "\(root)/\(folder)")
        .filter { $0.hasSuffix(ending) }.map { "\(folder)/\($0)" }
    }
    return (["README.md", "LICENSE", "CITATION.cff"] + listed + explainer.experiments.map(\.file))
      .sorted()
  }

  /// The metadata file's content.
  func metadata() throws -> JSON {
    let files = try files()
    let inCrate = Set(files)
    let actions = try explainer.experiments.flatMap { experiment in
      try experiment.figures.compactMap { try action($0, by: experiment, among: inCrate) }
    }
    let title = "Causal Pathways from Waveforms to Words: Temporal Attribution Patching"
    let rootDataset: JSON = [
      "@id": "./", "@type": "Dataset", "name": .string(title),
      "description":
        "Figures, numbers, preregistrations and literate experiments of the paper, with the digests of all data and weights that they were made from.",
      "datePublished": .string(date), "license": ["@id": "https://spdx.org/licenses/MIT"],
      "author": ["@id": "#authors"], "publisher": ["@id": "#authors"],
      "hasPart": .array(files.map { ["@id": .string($0)] }),
      "mentions": .array(actions.compactMap { action in action["@id"].map { ["@id": $0] } }),
    ]
    let fixed: [JSON] = [
      [
        "@id": "ro-crate-metadata.json", "@type": "CreativeWork", "about": ["@id": "./"],
        "conformsTo": ["@id": "https://w3id.org/ro/crate/1.1"],
      ],
      rootDataset,
      [
        "@id": "#authors", "@type": "Organization",
        "name": "The authors of Causal Pathways from Waveforms to Words",
      ],
      [
        "@id": "https://spdx.org/licenses/MIT", "@type": "CreativeWork", "name": "MIT License",
        "identifier": "MIT",
      ],
      [
        "@id": "#swift", "@type": "ComputerLanguage", "name": "Swift",
        "url": "https://www.swift.org",
      ],
    ]
    return [
      "@context": [
        "https://w3id.org/ro/crate/1.1/context", ["sha256": "https://schema.org/sha256"],
      ],
      "@graph": .array(fixed + (try files.map(file)) + actions),
    ]
  }

  private func file(_ path: String) throws -> JSON {
    let ending = String(path.split(separator: ".").last ?? "")
    let size = try FileManager.default.attributesOfItem(atPath: "\(root)/\(path)")[.size] as? Int
    var members: [String: JSON] = [
      "@id": .string(path), "@type": "File", "name": .string(path),
      "contentSize": .string("\(size ?? 0)"),
      "encodingFormat": .string(Crate.encodings[ending] ?? "text/plain"),
      "sha256": .string(try Digest(ofFile: "\(root)/\(path)").description),
    ]
    if let experiment = explainer.experiments.first(where: { $0.file == path }) {
      members["@type"] = ["File", "SoftwareSourceCode"]
      members["name"] = .string(experiment.title)
      members["programmingLanguage"] = ["@id": "#swift"]
    }
    return .object(members)
  }

  /// That an experiment made a figure; nil where it has not.
  private func action(_ figure: String, by experiment: ExperimentSource, among files: Set<String>)
    throws
    -> JSON?
  {
    guard let stamp = try FigureStamp(figure: "\(figure).svg", root: root) else { return nil }
    let inputs = try explainer.inputs.inputs(of: stamp, figure: figure, experiment: experiment)
    let objects = inputs.filter { $0.name != "table" && files.contains($0.path) }.map(\.path)
    let results = explainer.written(by: experiment, figure: figure)
    return [
      "@id": .string("#\(figure.split(separator: "/").last ?? "")"), "@type": "CreateAction",
      "name": .string(try explainer.targets.command(experiment)),
      "description": .string("\(experiment.title). Made from: \(stamp.text)"),
      "instrument": ["@id": .string(experiment.file)],
      "object": .array(Set(objects).sorted().map { ["@id": .string($0)] }),
      "result": .array(results.map { ["@id": .string($0)] }),
    ]
  }
}
