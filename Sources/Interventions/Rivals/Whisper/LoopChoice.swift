// Which part of a decoder ends most repetition loops: the best of many, chosen on some sounds and quoted on
// others, beside the best of as many drawn moves (`paper/definitions.md`, D164).

import Speech
import Tensor

/// The trial that ends most loops of some sounds.
public struct BestTrial: Codable, Sendable, Equatable {
  public let trial: LoopTrial
  public let index: Int
  /// The share of the loops that it was chosen on: the maximum over the trials.
  public let share: Double

  public init(trial: LoopTrial, index: Int, share: Double) {
    (self.trial, self.index, self.share) = (trial, index, share)
  }
}

/// The best of the trials that are meant, the first of equals.
///
/// - Parameters:
///   - readings: of sounds; those that do not loop are left out
///   - isMeant: which of the trials are compared
/// - Throws: where nothing loops or no trial is meant, and where a reading is not of these trials.
public func bestTrial(
  of trials: [LoopTrial], on readings: [ChangedTranscripts], _ isMeant: (LoopTrial) -> Bool
) throws -> BestTrial {
  let looping = readings.filter(\.plain.endsInLoop)
  let meant = trials.indices.filter { isMeant(trials[$0]) }
  guard !looping.isEmpty, let first = meant.first,
    looping.allSatisfy({ $0.changed.count == trials.count })
  else {
    throw CellError(
      "\(looping.count) of \(readings.count) sounds loop, \(meant.count) of \(trials.count) trials are "
        + "compared; give sounds that loop, all read with these trials")
  }
  func fixed(_ trial: Int) -> Int { looping.count { !$0.changed[trial].endsInLoop } }
  let best = meant.dropFirst().reduce(first) { fixed($1) > fixed($0) ? $1 : $0 }
  return BestTrial(
    trial: trials[best], index: best, share: Double(fixed(best)) / Double(looping.count))
}

/// The mean over sounds that loop of a number of each, such as whether a trial ends the loop; intervals draw
/// groups. Where a share is 0 or 1 in all of them, its bounds are exact (Clopper and Pearson) over the
/// groups.
///
/// - Parameter isShare: whether the number is 0 or 1 of each sound, and no difference of such
/// - Throws: where nothing loops.
public func meanOverLoops(
  _ readings: [ChangedTranscripts], groups: [String], draws: Int, isShare: Bool = true,
  _ random: Random, _ value: (ChangedTranscripts) -> Double
) throws -> Estimate {
  let looping = zip(readings, groups).filter { $0.0.plain.endsInLoop }
  guard readings.count == groups.count, !looping.isEmpty else {
    throw CellError(
      "\(looping.count) of \(readings.count) sounds loop, with \(groups.count) groups; give a group for "
        + "each, and sounds that loop")
  }
  let values = looping.map { value($0.0) }
  let count = Set(looping.map(\.1)).count
  if isShare, values.allSatisfy({ $0 == 0 }) { return clopperPearson(0, of: count) }
  if isShare, values.allSatisfy({ $0 == 1 }) { return clopperPearson(count, of: count) }
  return ratioOfMeans(
    values, values.map { _ in 1 }, groups: looping.map(\.1), draws: draws, random)
}

/// What a change costs on speech: word error rate with it less that without; intervals draw groups.
///
/// - Parameters:
///   - texts: what was said in each recording
///   - changed: the changed transcript of a reading
/// - Throws: where no word was said.
public func costOnSpeech(
  _ readings: [ChangedTranscripts], texts: [String], groups: [String], draws: Int, _ random: Random,
  _ changed: (ChangedTranscripts) -> Transcript
) throws -> Estimate {
  let words = texts.map { Double(normalisedWords($0).count) }
  guard readings.count == texts.count, groups.count == texts.count,
    words.contains(where: { $0 > 0 })
  else {
    throw CellError(
      "\(readings.count) transcripts, \(texts.count) texts, \(groups.count) groups; give one each, and "
        + "words that were said")
  }
  let errors = zip(readings, texts).map { reading, text in
    Double(
      WordErrors(of: changed(reading).text, against: text).errors
        - WordErrors(of: reading.plain.text, against: text).errors)
  }
  return ratioOfMeans(errors, words, groups: groups, draws: draws, random)
}
