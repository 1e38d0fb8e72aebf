// What was fixed beforehand about the sanity checks of the small checkpoints, beside what each must come
// to: how many pairs, draws, shuffles and planted models.

import JSON
import Notebook
import Speech

/// The part "sanity" of a preregistration.
public struct SanityRules: Sendable {
  public let checks: SanityChecks
  /// The prompt whose recordings scrub each other, and how often each is drawn.
  public let scrubbedPrompt: String
  public let scrubDraws: Int
  /// How far a probe's covariance is shrunk, and with how many shuffles of its labels it is compared.
  public let probeShrinkage: Double
  public let probeShuffles: Int
  /// The seeds of the planted models.
  public let plants: Range<UInt64>
  private let path: String
  private let every: [String: JSON]

  /// - Throws: an error that names the file and the entry that is missing or out of range.
  public init(_ path: String) throws {
    self.path = path
    checks = try SanityChecks(path)
    do {
      let json = try JSON.object(readJSON(path).object("sanity"))
      let scrubbing = JSON.object(try json.object("scrubbing"))
      scrubbedPrompt = try scrubbing.string("prompt")
      scrubDraws = try scrubbing.positive("draws")
      let probe = JSON.object(try json.object("probe"))
      probeShrinkage = try probe.double("shrinkage")
      probeShuffles = try probe.positive("shuffles")
      let planted = JSON.object(try json.object("planted"))
      let first = UInt64(try planted.positive("firstSeed"))
      plants = first..<(first + UInt64(try planted.positive("models")))
      every = try json.object("everyPair")
    } catch { throw CheckpointError("\(path): \"sanity\": \(error)") }
  }

  /// Of a checkpoint's pairs every so many-th is taken, the first among them.
  public func step(ofPairs checkpoint: String) throws -> Int {
    do { return try JSON.object(every).positive(checkpoint) } catch {
      throw CheckpointError("\(path): \"sanity.everyPair\": \(error)")
    }
  }
}
