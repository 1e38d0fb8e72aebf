// The logit lens (nostalgebraist, 2020): the residual stream behind each layer read as if it were the last
// (`paper/definitions.md`, D168).

import Speech
import Tensor

extension SpeechLanguageModel {
  /// The residual stream of the layers that the logits of text are made of, by depth: what enters them, and
  /// what each layer hands on.
  public var lensSites: [Site] {
    let stage = cutsToText[cutsToText.count - 1].site.stage
    let layers = sites.filter { $0.stage == stage && $0.activation == .residPost }
    guard let first = layers.first else { return [] }
    let embed = Site(stage, .embed)
    return [sites.contains(embed) ? embed : Site(stage, first.layer, .residPre)] + layers
  }

  /// What the last norm and the unembedding make of the residual stream behind each layer, at the position
  /// where the answers are compared.
  ///
  /// - Parameter run: has kept `lensSites`
  /// - Returns: logits [1, vocabulary] for each of `lensSites`, the last of which are the run's own
  /// - Throws: where the run has not kept a site.
  public func logitLens(_ run: Trace) throws -> [Tensor] {
    let sites = lensSites
    let (row, reads) = (run.question.answers.shared.count, run.reads)
    guard let top = sites.last, reads.indices.contains(row) else { return [] }
    // What stands in the last layer's place is all that norm and unembedding see.
    let patches = try sites.map { site in
      let rows = try run.rows(of: Cell(site), at: [reads[row]])
      return [Patch(top, positions: [reads[row]], taking: rows)]
    }
    return try logits(run, patches).map { gatherRows($0, [row]) }
  }
}
