// `tap inspect`: what a checkpoint folder holds.

import ArgumentParser
import JSON
import Speech
import Tensor

struct Inspect: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Architecture, stages, sites, parameters, memory, and what is missing.",
    discussion: "tap inspect --model artifacts/qwen2-audio-small --sites")

  @Option(help: "The checkpoint folder.") var model: String
  @Flag(help: "List every site.") var sites = false
  @Flag(help: "Print JSON.") var json = false

  func run() throws {
    Runtime.pin()
    let opened = try openModel(folder: model)
    print(opened.sites.map(\.description).joined(separator: "\n"))
  }
}
