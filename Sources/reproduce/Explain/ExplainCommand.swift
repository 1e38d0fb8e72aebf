// `reproduce explain`: where a figure or a number comes from, and whether that is what lies here.

import ArgumentParser
import Foundation
import Notebook

struct Explain: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Says which inputs, code, cell and command made a figure or a number.",
    discussion: """
      A file of figures/, a number of paper/numbers.tsv or a claim: figures/figure2.pdf, e1.connectorSufficiency, \
      C1. Ends with status 1 where an input is not what the figure's stamp says.
      """)

  @Argument(help: "A file of figures/, a number of the ledger, or a claim.") var subject: String

  func run() throws {
    let repository = try Repository()
    let explainer = try Explainer(root: repository.root.path, ledger: readLedger(repository))
    let explanation = try explainer.explain(subject)
    print(explanation.lines.joined(separator: "\n"))
    if explanation.isStale { throw ExitCode(1) }
  }
}
