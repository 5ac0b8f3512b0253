/// The release of etcd whose interface is served: clients ask for it and gate their features on it.
public enum EtcdVersion {
  public static let server = "3.5.0"
  public static let cluster = "3.5.0"
}
