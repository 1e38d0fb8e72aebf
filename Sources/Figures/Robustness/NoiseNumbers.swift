// The numbers of Figure 6 in the ledger.

import Interventions
import Notebook

extension Notebook {
  /// Records what one model came to.
  public func numbers(of result: NoiseResult) {
    let name = "e3.noise.\(result.model)"
    for reading in result.readings {
      let arm = "\(name).\(result.named(reading.arm.name).ledgerName)"
      guard let strength = reading.strength else { continue }
      if reading.arm != .nothing, reading.arm.choice != nil {
        number("\(arm).amount", strength.amount)
        number("\(arm).share", strength.share)
      }
      for one in reading.byRatio where reading.arm == .nothing {
        let ratio = one.ratio < 0 ? "minus\(Int(-one.ratio))" : "\(Int(one.ratio))"
        number("\(arm).errorsAt.\(ratio)", one.rate)
      }
      guard reading.arm != .nothing else { continue }
      for (what, value) in [
        ("gain", reading.gain), ("gainOverall", reading.overall), ("cost", reading.cost),
        ("exact", reading.exact),
      ] {
        if let value { number("\(arm).\(what)", value) }
      }
    }
    for (what, arm) in [("bestOfTAP", result.best.causal), ("bestOfSPIRIT", result.best.sensitive)]
    {
      guard let arm, let reading = result.reading(arm), let gain = reading.gain else { continue }
      number("\(name).\(what).gain", gain)
      if let cost = reading.cost { number("\(name).\(what).cost", cost) }
      if let gain = result.reading(arm.control)?.gain { number("\(name).\(what).drawn.gain", gain) }
    }
    for area in result.areas {
      let row = "\(name).area.\(result.named(area.score).ledgerName)"
      number(row, area.area)
      number("\(row).beyondEntropy", area.beyondEntropy)
    }
  }
}
