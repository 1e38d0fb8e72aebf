// The command behind the Makefile: every subcommand is a file of its own.

import ArgumentParser
import Notebook
import Tensor

@main
struct Reproduce: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reproduce",
    abstract: "Makes again what the paper stands on.",
    subcommands: [
      CorpusCommand.self, Sounds.self, Mixtures.self, DataCommand.self, PublishedCommand.self,
      Check.self,
      Train.self, Evaluate.self, Outputs.self, Parity.self, Compare.self, Patches.self,
      FullSize.self, Bench.self, Oracles.self, GGUFCommand.self, Join.self, Projectors.self,
      Export.self,
      SpeakVoice.self,
      Paper.self, Abstract.self, Readme.self, Pages.self, ExplorerCommand.self, Explain.self,
      ProvenanceCommand.self, CrateCommand.self,
    ])

  static func main() {
    Runtime.pin()
    prepareToEnd()
    main(nil)
    finishPrinting()
  }
}
