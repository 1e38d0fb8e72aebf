// What SPIRIT's interventions come to over recordings: word errors by strength, beside drawn neurons, with
// intervals over sentences by speaker (`paper/definitions.md`, D163).

import Speech
import Tensor

/// One intervention at one strength. Error rates are less those of nothing done, so that below 0 is better.
public struct SpiritPoint: Codable, Sendable {
  public let arm: SpiritArm
  /// Changed neurons, mean over recordings.
  public let neurons: Double
  public let gain: Estimate
  /// The same of drawn neurons, as many in every layer.
  public let control: Estimate
  /// The error rate less that of drawn neurons.
  public let beyond: Estimate
  /// The same of the neurons that the causal map names, at the same strength from the same reference; nil
  /// where it names none.
  public let causal: Estimate?
  /// The error rate without noise; nil where no recording without noise was heard.
  public let cost: Estimate?
  /// The share of the squared distance to the reference in the neurons, and in drawn ones.
  public let share: Double
  public let controlShare: Double
}

/// Recordings with what was written for each.
public struct SpiritTest: Sendable {
  private let items: [(recording: NoisyRecording, heard: SpiritHeard)]
  private let draws: Int

  /// - Parameter draws: of the bootstrap
  /// - Throws: where there are no words in noise, so that there is no rate.
  public init(_ recordings: [NoisyRecording], _ heard: [SpiritHeard], draws: Int) throws {
    items = zip(recordings, heard).map { (recording: $0, heard: $1) }
    self.draws = draws
    guard
      items.contains(where: { !$0.recording.isClean && !normalisedWords($0.recording.text).isEmpty }
      )
    else {
      throw CellError(
        "of \(items.count) recordings none is in noise with words; give recordings of the noise set"
      )
    }
  }

  /// The word error rate of one intervention less that of another, paired by recording.
  ///
  /// - Parameters:
  ///   - other: nothing done where nil
  ///   - clean: over recordings without noise in the place of those in noise
  /// - Throws: where a recording was not heard with one of them.
  public func excess(
    of arm: SpiritArm, over other: SpiritArm? = nil, clean: Bool = false, _ random: Random
  ) throws -> Estimate {
    let meant = items.filter { $0.recording.isClean == clean }
    let errors = try meant.map { recording, heard in
      let less =
        try other.map { try written($0, recording, heard).errors(against: recording.text) }
        ?? Double(WordErrors(of: heard.plain, against: recording.text).errors)
      return try written(arm, recording, heard).errors(against: recording.text) - less
    }
    return ratioOfMeans(
      errors, meant.map { Double(normalisedWords($0.recording.text).count) },
      groups: meant.map(\.recording.group), draws: draws, random.split(arm.name))
  }

  /// An intervention beside its controls.
  ///
  /// - Throws: where a recording in noise was not heard with `arm.beside`.
  public func point(_ arm: SpiritArm, _ random: Random) throws -> SpiritPoint {
    let drawn = arm.by(.drawn)
    let noisy = items.filter { !$0.recording.isClean }
    func mean(_ value: (SpiritWritten) -> Double, of arm: SpiritArm) throws -> Double {
      try noisy.reduce(0) { $0 + value(try written(arm, $1.recording, $1.heard)) }
        / Double(noisy.count)
    }
    return SpiritPoint(
      arm: arm, neurons: try mean({ Double($0.counts.reduce(0, +)) }, of: arm),
      gain: try excess(of: arm, random), control: try excess(of: drawn, random),
      beyond: try excess(of: arm, over: drawn, random.split("beyond")),
      causal: try arm.isCausal ? excess(of: arm.by(.causal), random) : nil,
      cost: try items.contains { $0.recording.isClean && $0.heard[arm] != nil }
        ? excess(of: arm, clean: true, random.split("cost")) : nil,
      share: try mean(\.share, of: arm), controlShare: try mean(\.share, of: drawn))
  }

  /// The intervention that leaves the fewest word errors in noise; of equals the first.
  ///
  /// - Throws: where none is given, or a recording was not heard with one.
  public func fewest(of arms: [SpiritArm], _ random: Random) throws -> SpiritArm {
    let errors = try arms.map { (arm: $0, value: try excess(of: $0, random).value) }
    guard let best = errors.min(by: { $0.value < $1.value }) else {
      throw CellError("no intervention is tried; give at least one")
    }
    return best.arm
  }

  private func written(_ arm: SpiritArm, _ recording: NoisyRecording, _ heard: SpiritHeard) throws
    -> SpiritWritten
  {
    guard let written = heard[arm], !written.texts.isEmpty else {
      throw CellError(
        "recording \(recording.id): was not heard with \"\(arm.name)\"; add it to the interventions"
      )
    }
    return written
  }
}

extension SpiritPoint {
  /// The row of the table; the claim holds where fewer errors are left than by drawn neurons, by all of the
  /// interval.
  public func row(on model: String) -> RivalRow {
    RivalRow(
      "SPIRIT", arm.site == .encoder ? "encoder" : "gates", on: model,
      claim: "patching noise-sensitive neurons restores what is said",
      measure: "word error rate less that of nothing done, \(arm.percent)% of the neurons, "
        + "\(arm.change.rawValue) from the \(arm.reference.rawValue) run",
      effect: gain, control: control, tap: causal, holds: beyond.high < 0)
  }

  /// The first line of a table of points.
  public static let columns =
    (["model", "site", "change", "reference", "percent", "positions", "steps", "neurons"]
    + ["error rate", "drawn", "beyond drawn", "causal", "without noise"].flatMap {
      [$0, "low", "high"]
    } + ["share of distance", "share of drawn"]).joined(separator: "\t") + "\n"

  /// One line of it; NA where there is no number.
  public func line(of model: String) -> String {
    let numbers = [gain, control, beyond, causal, cost].flatMap { estimate in
      estimate.map { [$0.value, $0.low, $0.high].map { $0.isFinite ? "\($0)" : "NA" } }
        ?? ["NA", "NA", "NA"]
    }
    let positions = arm.last.map { "last \($0)" } ?? "all"
    return
      ([model, arm.site.rawValue, arm.change.rawValue, arm.reference.rawValue, "\(arm.percent)"]
      + [positions, arm.everyStep ? "every" : "prompt", "\(neurons)"] + numbers
      + ["\(share)", "\(controlShare)"]).joined(separator: "\t") + "\n"
  }
}
