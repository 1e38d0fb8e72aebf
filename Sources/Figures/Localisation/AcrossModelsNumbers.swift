// What the text says of maps across models, tasks and factors: rows of the ledger.

import Interventions
import Notebook
import Speech

extension Notebook {
  /// Where one model under one task carries the answer.
  public func numbers(of result: TaskResult) {
    let name = "e1.\(result.name)"
    let (reading, place, control) = (
      result.reading, result.reading.localisation[0], result.reading.control
    )
    number("\(name).pairs", Double(reading.asked))
    number("\(name).pairs.enter", Double(reading.entering))
    for (what, value, claim) in [
      ("sufficiency", reading.moment[0], "L1"), ("necessity", reading.moment[1], "L1"),
      ("unrelated", reading.unrelated, "L1"), ("contrast", reading.contrast, "L1"),
      ("depth", place.depth, ""), ("early", place.early, ""), ("near", place.near, "L2"),
      ("near.unrelated", control.near, "L2"), ("duration", place.duration, ""),
      ("depth.unrelated", control.depth, ""), ("early.unrelated", control.early, ""),
      ("duration.unrelated", control.duration, ""),
    ] {
      number("\(name).\(what)", value, claim: claim)
    }
    if let joint = place.joint { number("\(name).joint", joint) }
    if let depth = place.takesOver { number("\(name).takesOver", depth) }
    let verdict = reading.verdict
    number("\(name).block.share", verdict.blockShare, tolerance: 1e-6, claim: "L1")
    number("\(name).qualifying.share", verdict.share, tolerance: 1e-6, claim: "L1")
    number("\(name).significant", Double(verdict.significance.significant()), claim: "L1")
    number("\(name).family", Double(verdict.significance.family), claim: "L1")
  }

  /// What other factors do to one model.
  public func numbers(of result: FactorResult) {
    let name = "e1.\(result.model)"
    for (site, width) in zip(result.sites, result.width) {
      number("\(name).leakage.\(site)", width)
    }
    for reading in result.stability {
      number("\(name).stability.\(reading.name.ledgerName)", reading.spearman, claim: "L3")
      number("\(name).stability.\(reading.name.ledgerName).shift", reading.shift, claim: "L3")
    }
    for (factor, reading) in result.preserving {
      number("\(name).\(factor).pairs", Double(reading.pairs))
      for (i, window) in ["moment", "sound"].enumerated() {
        let place = "\(name).\(factor).\(window)"
        number("\(place).text", reading.text[i], claim: "L4")
        number("\(place).transcriptStays", reading.same[i], claim: "L4")
        number("\(place).wordErrors", reading.errors[i], claim: "L4")
        if !reading.voice.isEmpty { number("\(place).voice", reading.voice[i], claim: "L4") }
      }
    }
    let noise = result.noise
    number("\(name).noise.pairs", Double(noise.asked))
    number("\(name).noise.right", Double(noise.right))
    number("\(name).noise.mistaken", Double(noise.mistaken))
    number("\(name).noise.mapped", Double(noise.mapped))
    for (what, values) in [
      ("moment", noise.moment), ("sound", noise.whole), ("unrelated", noise.unrelated),
    ] {
      if let value = values[result.connector] {
        number("\(name).noise.\(what)", value, claim: "L5")
      }
    }
  }
}
