// What the text says of transfers: rows of the ledger.

import Interventions
import Notebook

extension Notebook {
  /// The size, recoveries and controls of a part's subspace.
  public func numbers(of part: PartStudy, _ name: String) {
    let (curve, controls) = (part.curve, part.controls)
    let chosen = curve.choice.chosen
    for (what, value) in [
      ("pairs", part.entering[2]), ("K", curve.size), ("K.reached", chosen.reached ? 1 : 0),
      ("K.hindsight", curve.choice.hindsight.size), ("outliers", part.outliers),
    ] + part.curves.compactMap({ curve in curve.k90.map { ("K90.\(curve.method)", $0) } }) {
      number("\(name).\(what)", Double(value))
    }
    for (what, value) in [
      ("sufficiency", curve.sufficiency[chosen.index]),
      ("necessity", curve.necessity[chosen.index]), ("whole.sufficiency", curve.fullSufficiency),
      ("whole.necessity", curve.fullNecessity), ("area", curve.area),
      ("area.overRandomOrder", controls.overShuffled), ("area.overSameLength", controls.overNorm),
    ] {
      number("\(name).\(what)", value)
    }
    var values = [
      ("complement.sufficiency", controls.chosen.complement),
      ("complement.necessity", controls.complementNecessity),
      ("illusion.unread", controls.illusion.nullShare),
      ("illusion.read.recovery", controls.illusion.row),
    ]
    if let wrong = controls.chosen.wrongItem { values.append(("wrongItem", wrong)) }
    for family in RandomFamily.allCases {
      guard let drawn = controls.chosen.families[family.rawValue] else { continue }
      values.append(("random.\(family.rawValue)", drawn.mean))
    }
    if let trained = part.arbitrary {
      values.append(("das.held", trained.real.held))
      if let labels = trained.arbitrary { values.append(("das.arbitrary.held", labels.held)) }
    }
    for (what, value) in values { number("\(name).\(what)", value, tolerance: 1e-6) }
  }

  /// Whom probes take the speaker for.
  public func numbers(of probes: ProbeReadings, _ name: String) {
    let sites = ["connector", "downstream"]
    for (arm, voices) in probes.arms.sorted(by: { $0.key < $1.key }) {
      for (site, share) in zip(sites, voices.baseVoice) {
        number("\(name).\(arm.ledgerName).\(site).baseVoice", share)
      }
    }
    for (site, (real, shuffled)) in zip(sites, zip(probes.held, probes.shuffled)) {
      number("\(name).\(site).held", real)
      number("\(name).\(site).shuffledLabels", shuffled)
    }
  }

  /// Whose text and whose speaker is said in one arm.
  public func numbers(of shares: TransferShares, _ name: String, claim: String) {
    for (what, value) in [
      ("sourceText", shares.sourceText), ("wordErrors", shares.errors),
      ("baseVoice", shares.baseVoice), ("sourceVoice", shares.sourceVoice),
    ] {
      number("\(name).\(what)", value, claim: claim)
    }
  }
}

extension String {
  /// The name of an arm as the ledger writes it.
  public var ledgerName: String {
    split { !$0.isLetter }.enumerated()
      .map { $0 == 0 ? String($1) : $1.prefix(1).uppercased() + $1.dropFirst() }.joined()
  }
}
