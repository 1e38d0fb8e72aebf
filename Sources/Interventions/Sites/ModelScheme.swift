// The scheme of a model: the stages that a figure of its architecture shows, as the model itself and one
// of its runs tell them.

import Speech

/// One stage of the chain from sound to text.
public struct SchemeStage: Equatable, Sendable {
  public let stage: Site.Stage
  /// The sites of a map that lie in it, from sound to text.
  public let sites: [Site]
  /// How many layers it has, 0 where it is one map.
  public let layers: Int
  /// Numbers of an activation at its last site.
  public let width: Int
  /// The stretch of sound that each position of the run stands for there, nil where it is text.
  public let spans: [TimeSpan?]
  /// Milliseconds that a position stands for, where all stand for as much.
  public let milliseconds: Double?
  /// Whether it reads keys and values of an earlier stage.
  public let attendsAcross: Bool

  /// How many of its layers begin in the first third of them.
  public var early: Int { (layers + 2) / 3 }
}

extension SpeechLanguageModel {
  /// The stages that the sites of a map lie in, in the order of the model. What a connector is made of,
  /// such as a query transformer, counts as the connector.
  ///
  /// - Parameters:
  ///   - summaries: what the model's configuration says of its stages
  ///   - trace: a run of the model
  public func scheme(_ summaries: [StageSummary], of trace: Trace) throws -> [SchemeStage] {
    var stages: [Site.Stage] = []
    for site in mapSites where !stages.contains(site.stage) { stages.append(site.stage) }
    let across = Set(sites.filter { $0.activation == .crossK }.map(\.stage))
    return try stages.map { stage in
      let own = mapSites.filter { $0.stage == stage }
      return SchemeStage(
        stage: stage, sites: own,
        layers: Set(sites.filter { $0.stage == stage }.compactMap(\.layer)).count,
        width: try trace.activation(of: own.last!).width,
        spans: try trace.place(of: own.last!).spans,
        milliseconds: summaries.first { $0.name == stage.rawValue }?.milliseconds,
        attendsAcross: across.contains(stage)
          || stage == .connector && !across.subtracting(stages).isEmpty)
    }
  }
}
