// The command behind the Makefile: every subcommand is a file of its own.

import ArgumentParser

@main
struct Reproduce: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reproduce",
    abstract: "Makes again what the paper stands on.",
    subcommands: [
      CorpusCommand.self, DataCommand.self, Check.self, Train.self, Evaluate.self, Outputs.self,
      Parity.self, Compare.self, Patches.self, FullSize.self, Oracles.self, SpeakVoice.self,
    ])
}
