package lookup

import "net/http"

// Handler answers GET /parcels/{id}.
type Handler struct {
	parcels  Parcels
	carriers *Carriers
}

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	parcel, err := h.parcels.Find(r.Context(), r.PathValue("id"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	parcel.Carrier, _ = h.carriers.Name(r.Context(), parcel.Code, r.Header.Get("Accept-Language"))
	writeJSON(w, parcel)
}
