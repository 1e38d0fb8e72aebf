// What is plotted of a recogniser that writes where nobody speaks.

import Interventions
import Speech

/// How often one model writes something for one group of recordings.
public struct WrittenRate: Sendable {
  public let model: String
  public let group: String
  /// Transcripts that have words, those that Whisper's own rule leaves, and those that repeat
  /// themselves.
  public let words: Estimate
  public let kept: Estimate
  public let loops: Estimate

  public init(model: String, group: String, words: Estimate, kept: Estimate, loops: Estimate) {
    (self.model, self.group, self.words) = (model, group, words)
    (self.kept, self.loops) = (kept, loops)
  }
}

/// How often one model writes one text.
public struct PhraseCount: Sendable {
  public let model: String
  public let phrase: String
  public let count: Int
  public let of: Int

  public init(model: String, phrase: String, count: Int, of: Int) {
    (self.model, self.phrase, self.count, self.of) = (model, phrase, count, of)
  }
}

/// Where one model carries that there is speech.
public struct SpeechMap: Sendable {
  public let model: String
  public let cells: SpeechCells
  /// Shares of the gap by reading, direction, donor and set of cells, in the order of their
  /// enumerations.
  public let shares: [[[[Estimate?]]]]

  public init(model: String, cells: SpeechCells, shares: [[[[Estimate?]]]]) {
    (self.model, self.cells, self.shares) = (model, cells, shares)
  }

  /// The share of the log-odds of speech.
  func share(_ direction: Direction, _ donor: SpeechDonor, _ set: String) -> Estimate? {
    cells.index(set).flatMap {
      shares[0][Direction.allCases.firstIndex(of: direction)!][
        SpeechDonor.allCases.firstIndex(of: donor)!][$0]
    }
  }
}

/// Every plotted value and the second reading, one a line.
func hallucinationTable(
  _ rates: [WrittenRate], _ phrases: [PhraseCount], _ maps: [SpeechMap]
) -> String {
  var lines = ["model\tpanel\titem\tdirection\tdonor\tvalue\tlow\thigh"]
  func add(_ fields: [String], _ value: Estimate) {
    lines.append(
      (fields + ["\(value.value)", "\(value.low)", "\(value.high)"]).joined(separator: "\t"))
  }
  for rate in rates {
    add([rate.model, "words", rate.group, "", ""], rate.words)
    add([rate.model, "words left by Whisper's rule", rate.group, "", ""], rate.kept)
    add([rate.model, "loops or unended", rate.group, "", ""], rate.loops)
  }
  for phrase in phrases where phrase.count > 1 {
    lines.append(
      "\(phrase.model)\tphrase\t\(phrase.phrase)\t\t\t\(Double(phrase.count) / Double(phrase.of))\t\t"
    )
  }
  for map in maps {
    for (r, reading) in SpeechEvidence.Reading.allCases.enumerated() {
      for (d, direction) in Direction.allCases.enumerated() {
        for (n, donor) in SpeechDonor.allCases.enumerated() {
          for (name, share) in zip(map.cells.names, map.shares[r][d][n]) {
            guard let share else { continue }
            add([map.model, "share of \(reading)", name, "\(direction)", "\(donor)"], share)
          }
        }
      }
    }
  }
  return lines.joined(separator: "\n") + "\n"
}
