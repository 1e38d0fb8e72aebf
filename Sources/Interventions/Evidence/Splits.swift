// Splits: what is searched, what is chosen from and what is confirmed have no group, no sentence
// and no speaker in common (`paper/definitions.md`, D95).

import Corpus
import JSON
import Notebook
import Tensor

/// An item as a split sees it.
public struct SplitItem: Sendable, Equatable {
  public let id: String
  public let split: String
  /// The resampling unit.
  public let group: String
  public let sentences: [String]
  public let speakers: [String]

  public init(
    id: String, split: String, group: String, sentences: [String], speakers: [String]
  ) {
    self.id = id
    self.split = split
    self.group = group
    self.sentences = sentences
    self.speakers = speakers
  }

  public init(_ pair: MinimalPair) {
    self.init(
      id: pair.id, split: pair.split, group: pair.group,
      sentences: [pair.clean.text, pair.corrupt.text],
      speakers: [pair.clean.voice, pair.corrupt.voice])
  }

  /// A sound that is not speech, whose kind belongs to one split.
  public init(_ sound: NonSpeech) {
    let kind = sound.kind.rawValue
    self.init(
      id: sound.id, split: sound.kind.split, group: kind, sentences: [kind], speakers: [kind])
  }
}

/// Items by split, checked to be disjoint.
public struct Splits: Sendable {
  private let items: [String: [SplitItem]]

  public var names: [String] { items.keys.sorted() }

  /// The identifiers of a split's items, in their order; empty where there is no such split.
  public func ids(_ split: String) -> [String] { items[split, default: []].map(\.id) }

  /// The digest of a split's list of items, whatever their order.
  public func digest(_ split: String) -> Digest { Digest(ofParts: ids(split).sorted()) }

  /// - Throws: where two items have one identifier, or two splits share a group, a sentence or a
  ///   speaker; the error names both items.
  public init(_ items: [SplitItem]) throws {
    var seen: [String: SplitItem] = [:]
    for item in items {
      guard seen.updateValue(item, forKey: item.id) == nil else {
        throw EvidenceError("two items are called \(quoted(item.id)); name them apart")
      }
    }
    for (kind, values) in [
      ("group", { [$0.group] }), ("sentence", \.sentences), ("speaker", \.speakers),
    ] as [(String, (SplitItem) -> [String])] {
      var owner: [String: SplitItem] = [:]
      for item in items {
        for value in values(item) {
          guard let other = owner[value] else {
            owner[value] = item
            continue
          }
          guard other.split == item.split else {
            throw EvidenceError(
              "\(kind) \(quoted(value)) is in the splits \(other.split) (\(other.id)) and \(item.split) "
                + "(\(item.id)); give it to one of them, or leave one of the items out")
          }
        }
      }
    }
    self.items = Dictionary(grouping: items, by: \.split)
  }

  /// Assigns groups to splits at random, by the shares given.
  ///
  /// - Parameters:
  ///   - groups: with repetitions, in any order
  ///   - shares: the share of the groups that each split gets, which add up to 1
  /// - Returns: the split of each group
  /// - Throws: where a split would get no group.
  public static func assignment(
    of groups: [String], shares: [(split: String, share: Double)], _ random: Random
  ) throws -> [String: String] {
    let names = Set(groups).sorted()
    let order = random.split("splits")
    let drawn = names.map { name -> (key: UInt64, name: String) in
      // By name, so that a group that is added moves no other ahead of its neighbours.
      var stream = order.split(name)
      return (stream.next(), name)
    }.sorted { $0 < $1 }.map(\.name)
    var assigned: [String: String] = [:]
    var (start, share) = (0, 0.0)
    for (split, part) in shares {
      share += part
      let end = min(Int((share * Double(drawn.count)).rounded()), drawn.count)
      guard end > start else {
        throw EvidenceError(
          "\(drawn.count) groups are too few for the split \(split) with a share of \(part); add "
            + "groups or raise the share")
      }
      for group in drawn[start..<end] { assigned[group] = split }
      start = end
    }
    return assigned
  }
}
