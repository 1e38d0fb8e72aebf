// `reproduce crate`: the paper's files with RO-Crate metadata, to be published as one folder.

import ArgumentParser
import Foundation
import Notebook

struct CrateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "crate",
    abstract: "Writes a folder of the paper's files with RO-Crate 1.1 metadata.",
    discussion:
      "Figures, tables, ledger, preregistrations, manifests and experiments; what lay in DIR is removed."
  )

  @Option(help: "The day of publication, as in 2026-11-29.") var date: String
  @Option(help: "The folder to write to.") var out = "build/crate"

  func validate() throws {
    guard date.wholeMatch(of: /\d{4}-\d{2}-\d{2}/) != nil else {
      throw ValidationError("--date is a day such as 2026-11-29, not \"\(date)\"")
    }
  }

  func run() throws {
    let repository = try Repository()
    let root = repository.root.path
    let crate = Crate(
      root: root, explainer: try Explainer(root: root, ledger: readLedger(repository)), date: date)
    let (files, metadata) = (try crate.files(), try crate.metadata())
    let manager = FileManager.default
    guard
      !manager.fileExists(atPath: out)
        || manager.fileExists(atPath: "\(out)/ro-crate-metadata.json")
    else {
      throw Failure("\(out) is there and is no crate; say another --out, or remove it")
    }
    try? manager.removeItem(atPath: out)
    for file in files {
      let target = URL(fileURLWithPath: "\(out)/\(file)")
      try manager.createDirectory(
        at: target.deletingLastPathComponent(), withIntermediateDirectories: true)
      try manager.copyItem(at: URL(fileURLWithPath: "\(root)/\(file)"), to: target)
    }
    try writeAtomically(metadata.text, to: "\(out)/ro-crate-metadata.json")
    print("\(files.count) files and ro-crate-metadata.json in \(out)")
  }
}
