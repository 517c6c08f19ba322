"""A small shop: a Service, two Deployments, a ConfigMap, a CronJob, as a GitOps repository holds them."""

from tests.repair_cases import text

SERVICE = text("""
    apiVersion: v1
    kind: Service
    metadata:
      name: checkout
      namespace: shop
    spec:
      selector:
        app: checkout
      ports:
        - port: 80   # what clients call
          targetPort: http
""")

CHECKOUT = text("""
    apiVersion: apps/v1
    kind: Deployment
    metadata:
      name: checkout
      namespace: shop
    spec:
      replicas: 2
      selector:
        matchLabels:
          app: checkout
      template:
        metadata:
          labels:
            app: checkout
        spec:
          containers:
            - name: api
              image: registry.example/checkout:1.4.0
              ports:
                - name: http
                  containerPort: 5050
              env:
                - name: PRICES_URL
                  value: "http://pricing:8080/v2"   # see the README
                - name: CUTOFF
                  valueFrom:
                    configMapKeyRef: {name: settings, key: CUTOFF}
              resources:
                requests:
                  cpu: 100m
                  memory: 256Mi
                limits:
                  memory: 512Mi
              readinessProbe:
                httpGet:
                  path: /ready
                  port: http
""")

PRICING = text("""
    apiVersion: v1
    kind: Service
    metadata:
      name: pricing
      namespace: shop
    spec:
      selector: {app: pricing}
      ports: [{port: 8080, targetPort: 8080}]
    ---
    apiVersion: apps/v1
    kind: Deployment
    metadata:
      name: pricing
      namespace: shop
    spec:
      replicas: 1
      selector: {matchLabels: {app: pricing}}
      template:
        metadata: {labels: {app: pricing}}
        spec:
          containers:
            - name: pricing
              image: registry.example/pricing:7.0.1
              ports: [{containerPort: 8080}]
""")

SETTINGS = text("""
    apiVersion: v1
    kind: ConfigMap
    metadata:
      name: settings
      namespace: shop
    data:
      CUTOFF: "16:45"
      application.properties: |
        # database
        db.host=db.shop.svc
        db.port=5432

        cache.size=100
""")

CLEANUP = text("""
    apiVersion: batch/v1
    kind: CronJob
    metadata:
      name: cleanup
      namespace: shop
    spec:
      schedule: "0 3 * * *"
      jobTemplate:
        spec:
          template:
            spec:
              restartPolicy: Never
              containers:
                - name: cleanup
                  image: registry.example/cleanup:2.2.0
""")

EDGE = text("""
    apiVersion: networking.k8s.io/v1
    kind: Ingress
    metadata:
      name: shop
      namespace: shop
    spec:
      ingressClassName: nginx
      rules:
        - host: shop.example
          http:
            paths:
              - path: /checkout
                pathType: Prefix
                backend:
                  service:
                    name: checkout
                    port:
                      number: 80
    ---
    apiVersion: networking.k8s.io/v1
    kind: NetworkPolicy
    metadata:
      name: pricing
      namespace: shop
    spec:
      podSelector: {matchLabels: {app: pricing}}
      ingress:
        - from:
            - podSelector: {matchLabels: {app: checkout}}
""")

CLAIM = text("""
    apiVersion: v1
    kind: PersistentVolumeClaim
    metadata:
      name: invoices
      namespace: shop
    spec:
      storageClassName: standard
      accessModes: [ReadWriteOnce]
      resources:
        requests:
          storage: 5Gi
""")

README = "# shop\n\nManifests that Argo CD deploys.\n"

GOOD = {
    "README.md": README,
    "deploy/service.yaml": SERVICE,
    "deploy/checkout.yaml": CHECKOUT,
    "deploy/pricing.yaml": PRICING,
    "deploy/settings.yaml": SETTINGS,
    "deploy/cleanup.yaml": CLEANUP,
    "deploy/edge.yaml": EDGE,
    "deploy/claim.yaml": CLAIM,
}


def changed(tree: dict[str, str], path: str, old: str, new: str) -> dict[str, str]:
    """The tree with one text of one file replaced; the text must be there."""
    assert old in tree[path], f"{path} does not hold {old!r}"
    return {**tree, path: tree[path].replace(old, new, 1)}
