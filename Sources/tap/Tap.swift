// `tap`: the engine on a reader's own model and recordings.

import ArgumentParser
import Foundation
import Notebook
import Tensor

@main
struct TapCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tap",
    abstract: "Looks into a speech language model: its parts, its logits, its words.",
    discussion: """
      A model is a checkpoint folder as it is published: Whisper, Qwen2-Audio, SALMONN, Soundwave, \
      LLaMA-Omni or Moshi. Examples on the shipped checkpoint:

        tap inspect --model artifacts/qwen2-audio-small
        tap logits --model artifacts/qwen2-audio-small --audio FILE --prompt "first thing:"
      """,
    subcommands: [
      Inspect.self, Logits.self, Generate.self, Pairs.self, PatchOne.self, SearchCells.self,
      MapCells.self, Confirm.self, SubspaceVerb.self, ScrubVerb.self, PathsVerb.self, LensVerb.self,
      MergeShards.self, SubmitMap.self,
    ])

  static func main() {
    Runtime.pin()
    prepareToEnd()
    do {
      var command = try parseAsRoot()
      try command.run()
    } catch {
      // The parser repeats what it was given however long it is.
      let message = fullMessage(for: error)
      guard exitCode(for: error) != .success, fitted(message) != message else {
        exit(withError: error)
      }
      FileHandle.standardError.write(Data((fitted(message) + "\n").utf8))
      Foundation.exit(exitCode(for: error).rawValue)
    }
    finishPrinting()
  }
}

/// A message whose lines are at most as long as a screen holds: of longer ones the beginning and the end.
func fitted(_ message: String) -> String {
  message.split(separator: "\n", omittingEmptySubsequences: false).map { line in
    line.utf8.count <= 4000 || line.count <= 4000
      ? String(line)
      : "\(line.prefix(600)) … (\(line.count - 1200) characters left out) … \(line.suffix(600))"
  }.joined(separator: "\n")
}
