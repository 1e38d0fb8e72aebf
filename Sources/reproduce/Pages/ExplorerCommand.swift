// `reproduce explorer`: maps that `tap map --explorer` has written, as one page to look at and to hear.

import ArgumentParser
import Foundation
import JSON
import Notebook
import Speech

struct ExplorerCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "explorer",
    abstract: "Makes one page of several maps, to look at and to hear.",
    discussion: """
      Takes files that `tap map --explorer FILE.json` has written, each of another model or task. The page is one \
      file without any request to a host, of \(ExplorerPage.limit / 1_000_000) MB at most; it is drawn with d3, from \
      Debian's package node-d3.
      """)

  @Argument(help: "The maps.") var maps: [String]
  @Option(help: "The page to write, .html.") var out = "build/explorer.html"

  func validate() throws {
    guard out.hasSuffix(".html") else { throw ValidationError("--out should end with .html") }
  }

  func run() throws {
    let library = try ExplorerPage.installedLibrary()
    let page = try ExplorerPage(maps.map { ($0, try readJSON($0)) }).html(library: library)
    try writeAtomically(page, to: out)
    print(
      String(
        format: "%@: %d maps, %.1f MB", out, maps.count, Double(page.utf8.count) / 1_000_000))
  }
}
