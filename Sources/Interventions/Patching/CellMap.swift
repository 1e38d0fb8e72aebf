// Exact patching of any cells of any architecture, from one run into another: the table that a map
// over pairs is made of.

import Speech
import Tensor

extension SpeechLanguageModel {
  /// What the base run says with cells taken from the source run.
  ///
  /// - Parameters:
  ///   - cells: each a set that is patched together, at sites that both runs have kept
  ///   - alignment: which moment of the source run stands for one of the base run
  /// - Returns: the logit difference in nats, nil where no site of a set has a position in its window
  public func patched(
    _ base: Trace, from source: Trace, cells: [[Cell]], alignment: Alignment = .identity
  ) throws -> [Double?] {
    let patches = try cells.map { set in
      try set.compactMap { try Selection($0, base: base, source: source, alignment)?.patch() }
    }
    var outcomes = try patched(base, patches.filter { !$0.isEmpty })[...]
    return patches.map { $0.isEmpty ? nil : outcomes.removeFirst().logitDifference }
  }
}

extension SpeechLanguageModel {
  /// Where what a second encoder heard joins what the first has made (SALMONN); empty where there is
  /// one encoder.
  public var branchSites: [Site] {
    guard let last = cuts.lastIndex(where: { $0.kind == .branch }) else { return [] }
    return sites.filter { $0 != cuts[last].site && cut(before: $0) == last }
  }

  /// The sites that together hold everything that passes at the depth of a residual site.
  public func cut(at site: Site) -> [Site] {
    site.stage == .encoder ? [site] + branchSites : [site]
  }
}

extension Question {
  /// The question on the frames that another run has kept, so that both runs have the same audio
  /// tokens; the same question where the architecture keeps them all.
  public func keepingFrames(of run: Trace) -> Question {
    var question = self
    question.input.kept = run.spliced
    return question
  }
}
