// `tap`: the engine on a reader's own model and recordings.

import ArgumentParser
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
      MapCells.self, Confirm.self, SubspaceVerb.self, ScrubVerb.self,
    ])

  static func main() {
    Runtime.pin()
    prepareToEnd()
    main(nil)
    finishPrinting()
  }
}
